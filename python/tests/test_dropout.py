"""Dropout of hidden units: what it takes, that it is deterministic, and what it does."""

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner

import metarec as mr
from metarec.errors import MetarecError


def dropping(rate=0.4, **options):
    backbone = mr.FeatureMLP(embedding_dim=3, hidden=(6, 4), dropout=rate)
    return small_learner(**{"backbone": backbone, **options})


@pytest.mark.parametrize("wrong", [-0.1, 1, 1.5, float("nan"), "half", None, (0.1, 0.2)])
def test_what_is_no_share_is_refused(wrong):
    with pytest.raises(MetarecError, match=r"backbone\.dropout: .*wanted"):
        dropping(wrong).initialize(random_tasks())
    with pytest.raises(MetarecError, match=r"algorithm\.dropout: .*wanted"):
        attention = mr.BayesianLinear(attention=1, dropout=wrong)
        small_learner(algorithm=attention).initialize(random_tasks())


def test_none_is_dropped_unless_it_is_said():
    for kind in (mr.FeatureMLP, mr.BayesianLinear, mr.MeLU, mr.FineTune, mr.ColdStart):
        assert kind().dropout == 0
    tasks = random_tasks(tasks=20)
    plain, zero = small_learner(epochs=2).fit(tasks), dropping(0, epochs=2).fit(tasks)
    assert same_bits(copies(plain), copies(zero))
    assert not same_bits(copies(plain), copies(dropping(0.1, epochs=2).fit(tasks)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_seed_alone_decides_on_any_number_of_threads(dtype):
    tasks = random_tasks(tasks=60)

    def run(threads, seed=3):
        options = {"threads": threads, "seed": seed, "dtype": dtype, "epochs": 2, "batch_size": 20}
        model = dropping(**options).fit(tasks)
        return copies(model) | {"loss": np.array(model.partial_fit(tasks))}

    first = run(1)
    assert all(same_bits(first, run(threads)) for threads in (1, 2, 5))
    assert run(1, seed=4)["loss"] != first["loss"]


ATTENTION = {"tokens": 6, "features": 4, "components": 4, "attention": 2, "factorisation": False}


@pytest.mark.parametrize("kind", [mr.MeLU, mr.FineTune, mr.ColdStart])
def test_presets_drop_units(kind):
    data = mr.datasets.synthetic(users=120, items=60, seed=0)
    own = ATTENTION if kind is mr.ColdStart else {}

    def run(rate, threads=1):
        model = kind(epochs=2, dropout=rate, threads=threads, seed=0, **own)
        return copies(model.fit(data))

    first = run(0.3)
    assert same_bits(first, run(0.3, threads=2))
    assert not same_bits(first, run(0.0))


def test_every_step_has_masks_of_its_own():
    tasks = random_tasks()
    model = dropping(optimizer=mr.SGD(lr=1e-300)).initialize(tasks)  # changes nothing
    losses = [model.partial_fit(tasks) for _ in range(20)]
    assert len(set(losses)) == 20
    # Another model at the same step has the same.
    other = dropping(optimizer=mr.SGD(lr=1e-300)).initialize(tasks)
    assert [other.partial_fit(tasks) for _ in range(20)] == losses


class Power(Exception):
    """Goes out."""


def test_a_training_that_was_cut_ends_with_the_bits_of_one_that_was_not(tmp_path):
    tasks, path = random_tasks(tasks=30), tmp_path / "run.checkpoint"

    class Cut(mr.callbacks.Callback):
        def on_step_end(self, step, logs):
            if step == 11:
                raise Power

    whole = dropping(epochs=3).fit(tasks)
    with pytest.raises(Power):
        dropping(epochs=3).fit(tasks, checkpoint=mr.Checkpoint(path, every=1), callbacks=[Cut()])
    parts = dropping(epochs=3).fit(tasks, checkpoint=mr.Checkpoint(path, every=1), resume=True)
    assert same_bits(copies(whole), copies(parts))
    # And of a model that was saved and loaded.
    whole.save(tmp_path / "model.metarec")
    loaded = mr.load(tmp_path / "model.metarec")
    assert loaded.backbone.dropout == 0.4
    assert loaded.partial_fit(tasks) == whole.partial_fit(tasks)
    assert same_bits(copies(whole), copies(loaded))


def test_nothing_is_dropped_but_in_training():
    tasks = random_tasks(tasks=30)
    model = dropping(epochs=2).fit(tasks)
    plain = small_learner().initialize(tasks)
    for name, value in plain.parameters().items():
        value[...] = model.parameters()[name]
    for call in ("predict", "support_losses"):
        found, again, wanted = (getattr(m, call)(tasks) for m in (model, model, plain))
        assert found.tobytes() == again.tobytes() == wanted.tobytes()
    loss, gradient = model.meta_gradient(tasks)
    same, wanted = plain.meta_gradient(tasks)
    assert loss == pytest.approx(same, rel=1e-6)
    assert all(np.allclose(gradient[name], wanted[name], atol=1e-6) for name in wanted)
    mine, others = (m.adapted_parameters(tasks) for m in (model, plain))
    assert same_bits(mine, others)
    assert len(model.profile(tasks.take([0]))) > len(plain.profile(tasks.take([0])))


def test_a_network_that_learns_noise_by_heart_learns_less_of_it():
    random = np.random.default_rng(0)
    items, users, rows = 60, 120, 10

    def made():
        """A weak signal in one of 20 numbers, and noise: the same items, other ratings."""
        index = random.integers(0, items, users * rows).astype(np.int32)
        targets = (0.3 * vectors[index, 0] + random.normal(size=users * rows)).astype(np.float32)
        counts = np.full(users, 5)
        offsets = np.arange(users + 1) * rows
        return mr.TaskSet(offsets, counts, index, targets, items=table)

    vectors = random.normal(size=(items, 20)).astype(np.float32)
    table = mr.FeatureTable({"x": mr.Dense(vectors)})
    training, held_out = made(), made()

    def errors(rate):
        model = mr.MetaLearner(
            backbone=mr.FeatureMLP(hidden=(128, 128), dropout=rate),
            algorithm=mr.MAML(inner_lr=0.01, inner_steps=1),
            optimizer=mr.Adam(lr=3e-3),
            epochs=40,
            seed=1,
        ).fit(training)
        return [float(model.meta_gradient(tasks)[0]) for tasks in (training, held_out)]

    (fitted, apart), (dropped, less) = errors(0.0), errors(0.5)
    assert dropped > fitted and less < apart
    assert less - dropped < 0.5 * (apart - fitted)
