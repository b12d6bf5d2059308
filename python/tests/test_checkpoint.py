"""Training that was interrupted and goes on ends with the bits of one that was not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner, small_preset

import metarec as mr
from metarec.errors import InvalidTypeError, InvalidValueError


class Power(Exception):
    """Goes out."""


class Cut(mr.callbacks.Callback):
    """Ends the training at a step, or at the end of an epoch."""

    def __init__(self, step=None, epoch=None):
        self.step, self.epoch = step, epoch

    def on_step_end(self, step, logs):
        if step == self.step:
            raise Power

    def on_epoch_end(self, epoch, logs):
        if epoch == self.epoch:
            raise Power


def everything(model):
    """All that training has made: parameters, moments, counters, history."""
    state = copies(model) | {
        name: value.copy() for name, value in model._native.optimizer_state().items()
    }
    return state | {"steps": np.array(model.steps), "history": np.array(repr(model.history_))}


def interrupted(make, data, path, *cuts, every=1, validation=None):
    """Train in pieces, every piece by a new model."""
    kept = mr.Checkpoint(path, every=every)
    for cut in cuts:
        with pytest.raises(Power):
            make().fit(data, validation, callbacks=[cut], checkpoint=kept, resume=True)
        assert mr.load(path).steps > 0
    return make().fit(data, validation, checkpoint=kept, resume=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


SCHEDULES = {
    "constant": mr.Constant(warmup=4),
    "step_decay": mr.StepDecay(every=3, factor=0.7),
    "cosine": mr.Cosine(steps=20, warmup=3),
    "reduce_on_plateau": mr.ReduceOnPlateau(factor=0.3),
}


@pytest.mark.parametrize("optimizer", [mr.SGD(lr=0.05), mr.Adam(lr=0.03)], ids=["sgd", "adam"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_same_bits_wherever_it_was_cut(schedule, optimizer, path):
    # 30 tasks in batches of 4: eight steps an epoch.
    tasks, held_out = random_tasks(0, tasks=30), random_tasks(1, tasks=20)

    def make():
        return small_learner(
            optimizer=optimizer,
            schedule=SCHEDULES[schedule],
            epochs=5,
            patience=2,
            unknown_rate=0.2,
            clip_norm=1.0,
        )

    whole = make().fit(tasks, held_out)
    cuts = [Cut(step=3), Cut(step=8), Cut(epoch=1), Cut(step=13)]
    parts = interrupted(make, tasks, path, *cuts, validation=held_out)
    assert same_bits(everything(whole), everything(parts))
    # And so does what comes after.
    assert whole.partial_fit(tasks) == parts.partial_fit(tasks)
    assert same_bits(everything(whole), everything(parts))


@pytest.mark.parametrize("every", [None, 3, 7, 1000])
def test_the_same_bits_however_often_it_is_kept(every, path):
    data = mr.datasets.synthetic(users=90, items=40, seed=0)
    splits = mr.split.cold_start(data, min_ratings=4, query=2, seed=0)

    def make():
        return small_preset("MeLU", batch_size=8).set_params(epochs=4)

    whole = make().fit(splits.train, splits.validation)
    kept = mr.Checkpoint(path, every=every)
    options = {"checkpoint": kept, "resume": True}
    for cut in (Cut(step=5), Cut(epoch=2)):
        with pytest.raises(Power):
            make().fit(splits.train, splits.validation, callbacks=[cut], **options)
    parts = make().fit(splits.train, splits.validation, **options)
    assert same_bits(everything(whole), everything(parts))
    assert parts.trained_on_.fingerprint == whole.trained_on_.fingerprint
    assert (parts.trained_on_.mask == whole.trained_on_.mask).all()
    # Of a finished training, nothing is left to do.
    again = make().fit(splits.train, splits.validation, **options)
    assert same_bits(everything(whole), everything(again))


def test_sampled_negatives_and_dtype_and_threads(path):
    random_ = np.random.default_rng(0)
    user, item = random_.integers(0, 40, 600), random_.integers(0, 30, 600)
    pairs = np.unique(np.stack([user, item]), axis=1)
    clicks = mr.Dataset.from_arrays(*pairs, np.ones(pairs.shape[1]))

    def make(threads=1):
        return small_learner(
            loss="logistic",
            negatives=mr.Negatives(ratio=2, sampling="popularity"),
            dtype="float64",
            epochs=3,
            threads=threads,
        )

    whole = make().fit(clicks)
    threads = iter([1, 2, 1])
    parts = interrupted(lambda: make(next(threads)), clicks, path, Cut(step=4), Cut(epoch=2))
    assert same_bits(everything(whole), everything(parts))


def test_the_preset_for_cold_starts(path):
    data = mr.datasets.synthetic(users=80, items=40, seed=0)

    def make():
        return mr.ColdStart(tokens=8, features=4, components=5, attention=1, epochs=3, seed=0)

    whole = make().fit(data)
    parts = interrupted(make, data, path, Cut(step=5), Cut(epoch=2))
    assert same_bits(everything(whole), everything(parts))
    # Its schedule falls over all epochs: with more of them it would have been another one.
    with pytest.raises(InvalidValueError, match=r"with schedule\.steps=\d+, this one has \d+"):
        make().set_params(epochs=6).fit(data, checkpoint=path, resume=True)


def test_more_epochs_can_be_added(path):
    tasks = random_tasks(tasks=10)
    small_learner(epochs=2).fit(tasks, checkpoint=path)
    longer = small_learner(epochs=5).fit(tasks, checkpoint=path, resume=True)
    assert same_bits(everything(longer), everything(small_learner(epochs=5).fit(tasks)))
    with pytest.raises(InvalidValueError, match="of a training in epoch 5, this one has 3"):
        small_learner(epochs=3).fit(tasks, checkpoint=path, resume=True)


def test_without_resume_it_begins_anew(path):
    tasks = random_tasks(tasks=10)
    first = small_learner(epochs=2).fit(tasks, checkpoint=path)
    second = small_learner(epochs=2).fit(tasks, checkpoint=path)
    assert same_bits(everything(first), everything(second))
    assert len(mr.load(path).history_) == 2


def test_a_checkpoint_is_a_model(path):
    data = mr.datasets.synthetic(users=50, items=30, seed=0)
    model = small_preset("MeLU")
    model.fit(data, checkpoint=path)
    loaded = mr.load(path)
    np.testing.assert_array_equal(
        loaded.adapt([1, 2], [5, 1]).predict(range(30)),
        model.adapt([1, 2], [5, 1]).predict(range(30)),
    )


# --- what is refused ------------------------------------------------------------------------------


@pytest.fixture
def kept(path):
    small_learner(epochs=2).fit(random_tasks(tasks=10), random_tasks(1), checkpoint=path)
    return path


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, r"of a training with seed=0, this one has 1"),
        ({"batch_size": 5}, r"with batch_size=4, this one has 5"),
        ({"patience": 1}, r"with patience=3, this one has 1"),
        ({"dtype": "float64"}, r"with dtype='float32', this one has 'float64'"),
        ({"optimizer": mr.Adam(lr=0.02)}, r"with optimizer=.*0\.01.*, this one has .*0\.02"),
        ({"schedule": mr.Cosine()}, r"with schedule='constant', this one has .*Cosine"),
        ({"episodes": mr.Episodes()}, r"with episodes=None, this one has"),
    ],
)
def test_other_options_are_refused(kept, changed, message):
    before = kept.read_bytes()
    with pytest.raises(InvalidValueError, match=rf"checkpoint: .*run\.checkpoint: .*{message}"):
        small_learner(**{"epochs": 2, **changed}).fit(
            random_tasks(tasks=10), random_tasks(1), checkpoint=kept, resume=True
        )
    assert kept.read_bytes() == before


def test_other_data_are_refused(kept):
    model = small_learner(epochs=2)
    other = random_tasks(2, tasks=10)
    fewer = random_tasks(tasks=10).take(range(9))
    for tasks in (other, fewer):
        with pytest.raises(InvalidValueError, match="of a training on other data"):
            model.fit(tasks, random_tasks(1), checkpoint=kept, resume=True)
    for validation in (None, random_tasks(3)):
        with pytest.raises(InvalidValueError, match="of a training on other validation"):
            model.fit(random_tasks(tasks=10), validation, checkpoint=kept, resume=True)
    with pytest.raises(InvalidValueError, match="of a MetaLearner, this is a FineTune"):
        small_preset("FineTune").fit(random_tasks(tasks=10), checkpoint=kept, resume=True)


def test_other_files_are_refused(path):
    tasks = random_tasks(tasks=10)
    small_learner(epochs=2).fit(tasks).save(path)
    with pytest.raises(InvalidValueError, match="a saved model, not a checkpoint"):
        small_learner(epochs=2).fit(tasks, checkpoint=path, resume=True)
    path.write_bytes(b"nothing")
    with pytest.raises(InvalidValueError, match="not a model of metarec"):
        small_learner(epochs=2).fit(tasks, checkpoint=path, resume=True)


def test_arguments_are_checked(path, tmp_path):
    tasks = random_tasks()
    with pytest.raises(InvalidValueError, match=r"resume: .*checkpoint="):
        small_learner().fit(tasks, resume=True)
    with pytest.raises(InvalidTypeError, match="resume: expected True or False, got 'yes'"):
        small_learner().fit(tasks, checkpoint=path, resume="yes")
    with pytest.raises(
        InvalidTypeError, match="checkpoint: expected Checkpoint or a path, got int"
    ):
        small_learner().fit(tasks, checkpoint=3)
    with pytest.raises(InvalidValueError, match="every"):
        mr.Checkpoint(path, every=0)
    with pytest.raises(OSError, match="nowhere"):
        small_learner().fit(tasks, checkpoint=tmp_path / "nowhere" / "run")
    assert repr(mr.Checkpoint("a", every=3)) == "Checkpoint('a', every=3)"


def test_a_class_of_ones_own_is_refused_before_it_trains(path):
    class Mine(mr.MeLU):
        pass

    model = Mine(epochs=1)
    with pytest.raises(InvalidTypeError, match="Mine"):
        model.fit(random_tasks(), checkpoint=path)
    assert model.history_ == []


# --- kill -9 --------------------------------------------------------------------------------------

TRAINING = """
    import sys
    from learners import random_tasks
    from test_checkpoint import heavy
    import metarec as mr
    print("begun", flush=True)
    heavy().fit(random_tasks(tasks=60), random_tasks(1),
                checkpoint=mr.Checkpoint(sys.argv[1], every=1), resume=True)
"""


def heavy():
    """A model whose checkpoint takes as long to write as its steps take."""
    return small_learner(
        backbone=mr.FeatureMLP(embedding_dim=8, hidden=(512, 256)), epochs=6, schedule="cosine"
    )


def test_killed_at_any_time_the_last_checkpoint_is_whole(path):
    whole = heavy().fit(random_tasks(tasks=60), random_tasks(1))
    program = [sys.executable, "-c", textwrap.dedent(TRAINING), str(path)]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    when = random.Random(0)
    steps, writing, kills = 0, 0, 0
    for _ in range(40):
        child = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"begun\n"
        before = path.stat().st_mtime_ns if path.exists() else 0
        while child.poll() is None and (not path.exists() or path.stat().st_mtime_ns == before):
            time.sleep(0.001)
        time.sleep(when.random() * 0.05)
        child.send_signal(signal.SIGKILL)
        kills += child.wait() == -signal.SIGKILL
        child.stdout.close()
        writing += any(path.parent.glob(".run.checkpoint.*"))
        model = mr.load(path)
        assert model.steps >= steps
        steps = model.steps
        if steps == whole.steps or (kills >= 4 and writing >= 2):
            break
    assert kills >= 2 and writing >= 1  # it was killed while it wrote
    parts = heavy().fit(
        random_tasks(tasks=60),
        random_tasks(1),
        checkpoint=mr.Checkpoint(path, every=20),
        resume=True,
    )
    assert same_bits(everything(whole), everything(parts))
    assert [each.name for each in path.parent.iterdir()] == [path.name]  # what was left is swept up


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(path, monkeypatch):
    tasks = random_tasks(tasks=10)
    small_learner(epochs=1).fit(tasks, checkpoint=path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        small_learner(epochs=3).fit(tasks, checkpoint=path, resume=True)
    monkeypatch.undo()
    assert path.read_bytes() == before
    longer = small_learner(epochs=3).fit(tasks, checkpoint=path, resume=True)
    assert same_bits(everything(longer), everything(small_learner(epochs=3).fit(tasks)))
    shutil.rmtree(path.parent)
