"""Sampled negatives: what they are, how often, and that they help."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import metarec as mr
from metarec import _metarec, split
from metarec.errors import InvalidIndexError, InvalidTypeError, InvalidValueError
from metarec.evaluation import evaluate
from metarec.negatives import Negatives


def clicks(users=120, items=60, seed=0):
    """Two kinds of people and two kinds of items; everybody takes 20 of their kind."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), 20)
    half = items // 2
    item = np.concatenate(
        [rng.choice(half, 20, replace=False) + half * (u % 2) for u in range(users)]
    )
    return mr.Dataset.from_arrays(user, item, np.ones(len(user)))


def parts(tasks):
    """Items and targets of every support and query."""
    return [
        [(tasks.item_index[rows[a:b]], tasks.targets[rows[a:b]]) for a, b in pairwise(offsets)]
        for rows, offsets in (tasks.support(), tasks.query())
    ]


def test_draws_are_in_proportion_to_the_weights_of_what_is_not_owned():
    weights = np.array([1.0, 0, 2, 3, 4])
    own = np.array([3], np.int32)
    drawn = _metarec.negatives(weights, np.array([0, 1]), own, np.array([70_000]), 0, 0)
    shares = np.bincount(drawn, minlength=5) / len(drawn)
    np.testing.assert_allclose(shares, np.array([1, 0, 2, 0, 4]) / 7, atol=0.01)


def test_who_has_nearly_everything_gets_the_rest():
    weights = np.array([1e-9, 1.0, 1.0, 2e-9])
    own = np.array([1, 2], np.int32)
    drawn = _metarec.negatives(weights, np.array([0, 2]), own, np.array([9000]), 0, 0)
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, [1 / 3, 0, 0, 2 / 3], atol=0.03)
    all_of_it = np.array([0, 1, 2, 3], np.int32)
    drawn = _metarec.negatives(weights, np.array([0, 4]), all_of_it, np.array([3]), 0, 0)
    assert drawn.tolist() == [-1, -1, -1]


def test_streams_are_those_of_seed_epoch_and_task():
    weights, none = np.ones(1000), np.zeros(3, np.int64)
    no_items = np.empty(0, np.int32)
    one = _metarec.negatives(weights, none, no_items, np.array([5, 5]), 1, 2)
    assert (one == _metarec.negatives(weights, none, no_items, np.array([5, 5]), 1, 2)).all()
    longer = _metarec.negatives(weights, none, no_items, np.array([9, 5]), 1, 2)
    assert (longer[:5] == one[:5]).all() and (longer[9:] == one[5:]).all()
    for other in ((2, 2), (1, 3)):
        assert (_metarec.negatives(weights, none, no_items, np.array([5, 5]), *other) != one).any()


def test_arguments_that_cannot_be():
    ok = [np.ones(3), np.array([0, 1]), np.array([2], np.int32), np.array([4]), 0, 0]
    assert _metarec.negatives(*ok).shape == (4,)
    wrong = {
        0: [
            (np.zeros(3), "weights"),
            (np.array([1, -1, 1.0]), "item 1"),
            (np.ones(3, int), "weights"),
            (np.array([np.inf]), "weights"),
        ],
        1: [(np.array([0, 2]), "own"), (np.array([1, 1]), "own"), (np.array([0]), "own_offsets")],
        2: [(np.array([3], np.int32), "outside"), (np.array([-2], np.int32), "outside")],
        3: [(np.array([-1]), "counts"), (np.array([1.0]), "counts")],
        4: [(-1, "seed")],
    }
    for place, cases in wrong.items():
        for value, words in cases:
            arguments = [*ok]
            arguments[place] = value
            with pytest.raises(
                (InvalidValueError, InvalidTypeError, InvalidIndexError), match=words
            ):
                _metarec.negatives(*arguments)


@given(st.integers(1, 3), st.integers(0, 9), st.booleans())
def test_tasks_keep_their_rows_and_get_others(ratio, seed, query):
    data = clicks(users=8)
    splits = split.cold_start(data, new_users=0.5, new_items=0.0, seed=seed)
    tasks = splits.new_user.tasks(0).take([2, 0])
    counts = Negatives.counts(data.tasks())
    negatives = Negatives(ratio=ratio)
    made = (
        negatives.among(tasks, counts, seed, 0) if query else negatives.beside(tasks, counts, seed)
    )
    for before, after, drawn in zip(parts(tasks), parts(made), (True, query), strict=True):
        for (items, targets), (more, marks) in zip(before, after, strict=True):
            n = len(items)
            np.testing.assert_array_equal(more[:n], items)
            np.testing.assert_array_equal(marks[:n], targets)
            assert len(more) == n * (1 + ratio * drawn) and (marks[n:] == 0).all()
    for task, (support, asked) in enumerate(zip(*parts(made), strict=True)):
        own = [each[task][0] for each in parts(tasks)]
        zeros = np.concatenate([items[marks == 0] for items, marks in (support, asked)])
        assert not np.isin(zeros, np.concatenate(own) if query else own[0]).any()


def test_popularity_and_its_power():
    counts = np.array([16.0, 1, 0, 81])
    none = np.array([0, 0], np.int64), np.empty(0, np.int32)
    for options, weights in (
        ({}, [1, 1, 0, 1]),
        ({"sampling": "popularity"}, [8, 1, 0, 27]),
        ({"sampling": "popularity", "power": 1}, [16, 1, 0, 81]),
        ({"sampling": "in_batch"}, [16, 1, 0, 81]),  # there is no batch
    ):
        drawn = Negatives(**options)._draw(none, np.array([40_000]), counts, 0)
        shares = np.bincount(drawn, minlength=4) / len(drawn)
        np.testing.assert_allclose(shares, np.array(weights) / sum(weights), atol=0.01)


def test_in_batch_negatives_are_what_the_others_have():
    counts = np.array([0, 5.0, 5, 5, 5])
    negatives = Negatives(ratio=500, sampling="in_batch")
    items = mr.FeatureTable({"item": mr.Categorical(np.arange(5, dtype=np.int32), 5)})
    tasks = mr.TaskSet(
        np.array([0, 2, 4, 7]),
        np.array([1, 1, 1]),
        np.array([1, 2, 1, 3, 3, 4, -1], np.int32),
        np.ones(7, np.float32),
        items=items,
    )
    made = negatives.among(tasks, counts, 0, 0, batch_size=3)
    theirs = np.array([[0, 0, 0, 2, 1], [0, 0, 1, 0, 1], [0, 2, 1, 0, 0]])
    for (asked, marks), wanted in zip(parts(made)[1], theirs, strict=True):
        shares = np.bincount(asked[marks == 0], minlength=5) / np.count_nonzero(marks == 0)
        np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=0.09)
    # Alone there are no others: clicks alone are left.
    assert (negatives.among(tasks, counts, 0, 0, batch_size=1).targets == 1).all()
    np.testing.assert_array_equal(
        made.item_index, negatives.among(tasks, counts, 0, 0, batch_size=3).item_index
    )


def test_only_the_query_is_asked():
    data = clicks(users=8)
    tasks = split.cold_start(data, new_users=0.5, new_items=0.0, seed=0).new_user.tasks(0)
    made = Negatives(ratio=2).asked(tasks, Negatives.counts(data.tasks()), 0)
    assert made.support_rows == tasks.support_rows and made.query_rows == 3 * tasks.query_rows


@given(st.integers(0, 9), st.integers(1, 3))
def test_sizes_of_episodes_count_clicks_alone(epoch, ratio):
    tasks = clicks(users=12).tasks()
    episodes = mr.Episodes(support=(2, 15), query=(3, 9))
    counts = Negatives.counts(tasks)
    made = Negatives(ratio=ratio).among(tasks, counts, 7, epoch, episodes=episodes)
    sizes = set()
    for own, (support, marks), (asked, answers) in zip(
        (items for items, _ in parts(tasks)[1]), *parts(made), strict=True
    ):
        for items, targets, low, high in ((support, marks, 2, 15), (asked, answers, 3, 9)):
            n = int(targets.sum())
            assert low <= n <= high and len(items) == n * (1 + ratio)
            assert np.isin(items[targets == 1], own).all()
            assert not np.isin(items[targets == 0], own).any()  # of all that they have
        taken = np.concatenate([support[marks == 1], asked[answers == 1]])
        assert len(set(taken.tolist())) == len(taken)
        sizes.add(int(marks.sum()))
    assert len(sizes) > 2
    again = Negatives(ratio=ratio).among(tasks, counts, 7, epoch, episodes=episodes)
    np.testing.assert_array_equal(made.item_index, again.item_index)
    other = Negatives(ratio=ratio).among(tasks, counts, 7, epoch + 1, episodes=episodes)
    assert made.item_index.tolist() != other.item_index.tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"ratio": 0}, "ratio"), ({"sampling": "hard"}, "'hard'"), ({"power": -1}, "power")],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(InvalidValueError, match=words):
        Negatives(**options)


def learner(loss="logistic", sampling="uniform", **options):
    return mr.MetaLearner(
        backbone=mr.FeatureMLP(embedding_dim=4, hidden=(16,)),
        algorithm=mr.MAML(inner_lr=0.3, inner_steps=3),
        loss=loss,
        optimizer=mr.Adam(lr=0.01),
        episodes=mr.Episodes(support=(1, 5), query=(5, 10)),
        negatives=Negatives(ratio=2, sampling=sampling),
        **options,
    )


@pytest.fixture(scope="module")
def splits():
    return split.cold_start(clicks(users=400), 0.2, 0.0, min_ratings=15, query=5, seed=0)


@pytest.fixture(
    scope="module",
    params=[("logistic", "uniform"), ("softmax", "in_batch"), ("bpr", "popularity")],
    ids=lambda each: each[0],
)
def model(splits, request):
    return learner(*request.param, epochs=30, seed=0).fit(splits.train, progress=False)


def test_a_learner_tells_the_two_kinds_apart(splits, model):
    """From five clicks it knows whose kind somebody is; nobody knows which of the kind come next.

    Of 45 candidates 15 are of the kind, 5 of them relevant: the best there is is
    (30 + 10 / 2) / 40 = .875.
    """
    options = {"scenarios": ["new_user"], "support_sizes": (0, 5), "draws": 2, "resamples": 50}
    report = evaluate(model, splits, ranking="catalogue", metrics=["auc"], **options)
    none, five = (
        report.interval("MetaLearner", "new_user", "auc", support_size=size).value
        for size in (0, 5)
    )
    assert 0.84 < five < 0.89 and 0.4 < none < 0.6
    assert report.interval("popularity", "new_user", "auc", support_size=5).value < 0.6


def test_an_adapted_user_ranks_as_the_tasks_do(model):
    kind = np.arange(60) // 30
    for which in (0, 1):
        mine = np.flatnonzero(kind == which)
        best = model.adapt(items=mine[:6].tolist(), ratings=np.ones(6)).recommend(k=15)
        assert np.mean(kind[np.asarray(best.items)] == which) > 0.8


def test_adapting_to_nothing_and_to_unknown_items(model):
    prior = model.adapt().predict([0, 1, 59])
    assert np.isfinite(prior).all()
    assert np.isfinite(model.adapt(items=["nobody"], ratings=[1]).predict([0])).all()


def test_files_keep_them(splits, model, tmp_path):
    model.save(tmp_path / "model.metarec")
    again = mr.load(tmp_path / "model.metarec")
    assert again.negatives == model.negatives
    tasks = splits.new_user.tasks(0)
    np.testing.assert_array_equal(again.predict(tasks), model.predict(tasks))
    assert (again.item_counts_ == np.bincount(splits.train.item, minlength=60)).all()


def test_same_seed_same_bits(splits):
    one, other, third = (
        learner(epochs=2, seed=seed, threads=threads).fit(splits.train, progress=False)
        for seed, threads in ((0, 1), (0, 2), (1, 1))
    )
    tasks = splits.new_user.tasks(0)
    assert one.predict(tasks).tobytes() == other.predict(tasks).tobytes()
    assert (one.predict(tasks) != third.predict(tasks)).any()


def test_a_catalogue_is_scored_as_its_tasks_are(splits, model):
    from metarec.evaluation.catalogue import everything

    tasks = splits.new_user.tasks(0).take([3, 0, 1])
    scores = model.score_catalogue(tasks)
    assert scores.shape == (3, 60) and scores.dtype == np.float32
    np.testing.assert_allclose(scores.ravel(), model.predict(everything(tasks, 60)), atol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "bpr"])
def test_losses_that_rank_are_validated_by_themselves(splits, loss):
    fitted = learner(loss, epochs=3, seed=0).fit(splits.train, splits.validation, progress=False)
    values = [row["validation"] for row in fitted.history_]
    assert values[-1] < values[0] < 2


def test_validation_has_negatives_too(splits):
    fitted = learner(epochs=3, seed=0).fit(splits.train, splits.validation, progress=False)
    # Without zeros the best answer to every row would be 1, and its error 0.
    assert all(row["validation"] > 0.3 for row in fitted.history_)
