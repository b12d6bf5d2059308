"""What a user writes, from the first line to the last, as the design shows it."""

from itertools import pairwise

import numpy as np
import pytest
from learners import copies, same_bits

import metarec as mr


def test_with_a_data_set(tmp_path):
    data = mr.datasets.synthetic(users=300, items=120, seed=0)
    splits = mr.split.cold_start(data, seed=0)
    model = mr.MeLU(inner_steps=5, order=2, seed=0, epochs=2)
    model.fit(splits.train, validation=splits.validation)
    report = mr.evaluate(model, splits)
    assert "MeLU" in repr(report) and "bias" in repr(report)
    assert report._repr_html_().startswith("<")

    before = copies(model)
    ann = model.adapt(items=[6, 58, 11], ratings=[5, 5, 3], user={"age": 2})
    recommended = ann.recommend(k=10)
    assert len(recommended) == 10 and not {6, 58, 11} & set(recommended.items.tolist())
    assert (np.diff(recommended.scores) <= 0).all()
    np.testing.assert_array_equal(ann.predict(recommended.items), recommended.scores)
    assert same_bits(before, model.parameters())

    path = tmp_path / "melu.metarec"
    model.save(path)
    loaded = mr.load(path)
    again = loaded.adapt(items=[6, 58, 11], ratings=[5, 5, 3], user={"age": 2})
    np.testing.assert_array_equal(again.recommend(k=10).items, recommended.items)
    np.testing.assert_array_equal(again.recommend(k=10).scores, recommended.scores)


def test_with_frames():
    ratings = {"user": ["ann", "ann", "bob", "bob"], "item": [6, 858, 6, 1196], "rating": [5] * 4}
    users = {"user": ["ann", "bob"], "age": [25, 50]}
    items = {"item": [6, 858, 1196], "genre": ["Action|Crime", "Drama", "Action"]}
    data = mr.Dataset.from_frames(ratings, users=users, items=items)
    model = mr.MeLU(epochs=1).fit(data)
    cleo = model.adapt(items=[6, 858], ratings=[5, 3], user={"age": 25})
    assert cleo.recommend(k=10).items.tolist() == [1196]
    assert list(cleo.recommend(k=10, exclude=[6])) == sorted(
        zip([858, 1196], cleo.predict([858, 1196]).tolist(), strict=True), key=lambda x: -x[1]
    )


def test_with_arrays_of_ones_own():
    random = np.random.default_rng(0)
    rate_ids = random.integers(0, 6, 40).astype(np.int32)
    ids = random.integers(0, 25, 80).astype(np.int32)
    offsets = np.arange(0, 81, 2)
    vectors = random.normal(size=(40, 8)).astype(np.float32)
    age_ids = random.integers(0, 7, 10).astype(np.int32)
    counts = random.integers(4, 12, 10)
    row_offsets = np.concatenate([[0], np.cumsum(counts)])
    item_index = random.integers(0, 40, row_offsets[-1]).astype(np.int32)
    targets = random.integers(1, 6, row_offsets[-1]).astype(np.float32)

    items = mr.FeatureTable(
        {
            "rate": mr.Categorical(rate_ids, size=6),
            "genre": mr.Bag(ids, offsets, size=25),
            "plot": mr.Dense(vectors),
        }
    )
    users = mr.FeatureTable({"age": mr.Categorical(age_ids, size=7)})
    tasks = mr.TaskSet(
        row_offsets,
        counts // 2,
        item_index,
        targets,
        np.arange(10, dtype=np.int32),
        items=items,
        users=users,
    )
    learner = mr.MetaLearner(
        backbone=mr.FeatureMLP(embedding_dim=32, hidden=(64, 64)),
        algorithm=mr.MAML(inner_lr=0.01, inner_steps=5, order=2, adapt="decision"),
        loss="squared_error",
        optimizer=mr.Adam(lr=1e-3),
        batch_size=32,
        threads=None,
        dtype="float32",
        seed=0,
    )
    assert learner.initialize(tasks) is learner
    shapes = {name: list(value.shape) for name, value in learner.parameters().items()}
    width = 32 + 32 + 8 + 32
    assert shapes == {
        "embedding.rate": [6, 32],
        "embedding.genre": [25, 32],
        "embedding.age": [7, 32],
        "dense0.weight": [width, 64],
        "dense0.bias": [64],
        "dense1.weight": [64, 64],
        "dense1.bias": [64],
        "head.weight": [64, 1],
        "head.bias": [1],
    }
    loss, grads = learner.meta_gradient(tasks)
    assert {name: list(value.shape) for name, value in grads.items()} == shapes
    squares = (learner.predict(tasks) - tasks.query_targets()[0]) ** 2
    ends = tasks.query()[1]
    of_tasks = [squares[a:b].mean() for a, b in pairwise(ends)]
    assert loss == pytest.approx(np.mean(of_tasks), rel=1e-5)

    assert learner.partial_fit(tasks.take([1, 3, 5])) > 0
    assert learner.predict(tasks).shape == (tasks.query_rows,)
    adapted = learner.adapted_parameters(tasks)
    decision = [name for name in shapes if not name.startswith("embedding")]
    assert {name: list(value.shape) for name, value in adapted.items()} == {
        name: [10, *shapes[name]] for name in decision
    }
    losses = learner.support_losses(tasks)
    assert losses.shape == (10, 6)
    assert (losses[:, -1] < losses[:, 0]).all()

    sgd = mr.MetaLearner(algorithm=mr.MetaSGD(), dtype="float64").initialize(tasks)
    assert {f"step_size.{name}" for name in decision} < set(sgd.parameters())
    assert all(value.dtype == np.float64 for value in sgd.parameters().values())


def test_with_the_tutorials_two_functions():
    random = np.random.default_rng(0)
    tasks = [(random.normal(size=(n, 3)), random.normal(size=n)) for n in (4, 9, 6, 12)]
    model = mr.meta_learning(tasks)
    features, labels = tasks[0]
    assert model(features).shape == (4,)
    assert model.adapt(features, labels)(features).shape == (4,)
    candidates = random.normal(size=(7, 3))
    order = mr.meta_learning_recommendation((features, labels), candidates, model=model)
    scores = model.adapt(features, labels)(candidates)
    assert isinstance(order, np.ndarray) and (np.diff(scores[order]) <= 0).all()
    assert sorted(order) == list(range(7))
    order = mr.meta_learning_recommendation(tasks, candidates)
    scores = mr.meta_learning(tasks).adapt(*tasks[-1])(candidates)
    assert (np.diff(scores[order]) <= 0).all()
