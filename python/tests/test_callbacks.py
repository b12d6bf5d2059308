"""What callbacks are told, and when."""

import csv
import warnings

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner

import metarec as mr
from metarec.callbacks import Callback, CSVLogger
from metarec.errors import InvalidTypeError, InvalidValueError

EVENTS = ("on_fit_start", "on_step_end", "on_eval", "on_epoch_end", "on_fit_end", "on_exception")


class Witness(Callback):
    """Writes down what it is told."""

    def __init__(self, every=1, model=None):
        self.every, self.model, self.told = every, model, []

    def on_fit_start(self, run):
        self.run = run
        self.told.append(("start", run.epoch, run.step))

    def on_step_end(self, step, logs):
        self.told.append(("step", step, dict(logs)))

    def on_eval(self, epoch, logs):
        self.told.append(("eval", epoch, dict(logs)))

    def on_epoch_end(self, epoch, logs):
        self.told.append(("epoch", epoch, dict(logs)))

    def on_fit_end(self, run):
        self.told.append(("end", run.epoch, run.step))

    def on_exception(self, error):
        self.told.append(("exception", type(error).__name__, str(error)))

    def of(self, kind):
        return [rest for name, *rest in self.told if name == kind]


def test_the_order_of_events():
    witness = Witness()
    model = small_learner(epochs=2)
    model.fit(random_tasks(tasks=9), random_tasks(1), callbacks=[witness])
    kinds = [told[0] for told in witness.told]
    assert kinds == ["start", *(["step"] * 3 + ["eval", "epoch"]) * 2, "end"]
    assert [told[0] for told in witness.of("step")] == [1, 2, 3, 4, 5, 6]
    assert witness.of("start") == [[0, 0]] and witness.of("end") == [[2, 6]]
    assert witness.run.model is model and witness.run.epochs == 2
    assert witness.run.options["algorithm__inner_lr"] == 0.1
    assert witness.run.options["batch_size"] == 4


def test_the_numbers_are_those_of_the_training():
    witness = Witness()
    model = small_learner(epochs=2, optimizer=mr.Adam(lr=0.02), schedule=mr.Constant(warmup=4))
    tasks, held_out = random_tasks(tasks=9), random_tasks(1)
    model.fit(tasks, held_out, callbacks=[witness])
    for (epoch, logs), row in zip(witness.of("epoch"), model.history_, strict=True):
        assert set(logs) == {"loss", "lr", "validation"}
        assert (epoch, logs["loss"]) == (row["epoch"], row["loss"])
        assert logs["validation"] == row["validation"]
    steps = [logs for _, logs in witness.of("step")]
    assert [logs["lr"] for logs in steps] == pytest.approx([0.005, 0.01, 0.015, 0.02, 0.02, 0.02])
    # Batches of 4, 4 and 1 tasks.
    mean = np.average([logs["loss"] for logs in steps[:3]], weights=[4, 4, 1])
    assert mean == pytest.approx(model.history_[0]["loss"])
    assert all(logs["gradient_norm"] > 0 for logs in steps)


def test_the_gradients_norm_is_that_before_clipping():
    witness, tasks = Witness(), random_tasks(tasks=4)
    model = small_learner(epochs=1, clip_norm=1e-3)
    gradients = small_learner(clip_norm=1e-3).initialize(tasks).meta_gradient(tasks)[1]
    model.fit(tasks, callbacks=[witness])
    norm = np.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values()))
    assert witness.of("step")[0][1]["gradient_norm"] == pytest.approx(norm, rel=1e-4)


def test_every_scenario_of_the_validation_is_told():
    data = mr.datasets.synthetic(users=80, items=40, seed=0)
    splits = mr.split.cold_start(data, min_ratings=4, query=2, seed=0)
    witness = Witness(every=10**6)
    model = small_learner(epochs=1).fit(splits.train, splits.validation, callbacks=[witness])
    logs = witness.of("eval")[0][1]
    parts = [value for name, value in logs.items() if name.startswith("validation/")]
    assert "validation/new_user" in logs and len(parts) > 1
    assert logs["validation"] == pytest.approx(np.mean(parts)) == model.history_[0]["validation"]
    assert witness.of("epoch")[0][1].items() >= logs.items()


@pytest.mark.parametrize("every", [2, 5, 7])
def test_every_so_many_steps(every):
    witness, other = Witness(every), Witness(3)
    small_learner(epochs=4).fit(random_tasks(tasks=12), callbacks=[witness, other])
    assert [step for step, _ in witness.of("step")] == list(range(every, 13, every))
    assert [step for step, _ in other.of("step")] == [3, 6, 9, 12]


def test_who_listens_changes_no_bit():
    tasks, held_out = random_tasks(tasks=30), random_tasks(1)
    alone = small_learner(epochs=3).fit(tasks, held_out)
    for every in (1, 3, 100):
        model = small_learner(epochs=3).fit(tasks, held_out, callbacks=[Witness(every)])
        assert model.history_ == alone.history_
        assert same_bits(copies(model), copies(alone))


def test_only_who_listens_to_steps_cuts_the_epoch(monkeypatch):
    calls = []

    class Native:
        def __init__(self, native):
            self._native = native

        def __getattr__(self, name):
            if name == "train_epoch":
                calls.append(name)
            return getattr(self._native, name)

    import metarec.training

    class Loop(metarec.training._Loop):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self._native = Native(self._native)

    monkeypatch.setattr(metarec.training, "_Loop", Loop)
    tasks = random_tasks(tasks=12)

    class Epochs(Callback):
        def on_epoch_end(self, epoch, logs):
            pass

    small_learner(epochs=3).fit(tasks, callbacks=[Epochs(), print])
    assert len(calls) == 3
    small_learner(epochs=3).fit(tasks, callbacks=[Witness(2)])
    assert len(calls) == 3 + 6  # Three steps an epoch: at 2 3 4 6 8 9.


def test_anything_with_such_a_method_is_a_callback():
    class Mine:
        def __init__(self):
            self.epochs = []

        def on_epoch_end(self, epoch, logs):
            self.epochs.append(epoch)

    mine, rows = Mine(), []
    small_learner(epochs=2).fit(random_tasks(), callbacks=[mine, rows.append])
    assert mine.epochs == [1, 2] and [row["epoch"] for row in rows] == [1, 2]


def test_the_model_can_be_used_while_it_is_told(tmp_path):
    tasks = random_tasks()

    class Uses(Callback):
        def on_step_end(self, step, logs):
            model.predict(tasks)
            model.adapt([1], [1.0]).recommend(k=2)
            model.save(tmp_path / f"{step}.metarec")
            assert mr.load(tmp_path / f"{step}.metarec").steps == step == model.steps

    model = small_learner(epochs=2)
    model.fit(tasks, callbacks=[Uses()])
    alone = small_learner(epochs=2).fit(tasks)
    assert same_bits(copies(alone), copies(model))


@pytest.mark.parametrize("wrong", [[3], [Callback()] * 2 + [None], 3, "abc", None, [Witness]])
def test_what_is_no_callback_is_refused(wrong):
    model = small_learner()
    with pytest.raises(InvalidTypeError, match="callbacks: "):
        model.fit(random_tasks(), callbacks=wrong)
    assert not hasattr(model, "history_")


def test_a_class_is_no_callback():
    with pytest.raises(InvalidTypeError, match="the class Witness, wanted an object of it"):
        small_learner().fit(random_tasks(), callbacks=[Witness])
    with pytest.raises(InvalidValueError, match="every"):
        small_learner().fit(random_tasks(), callbacks=[Witness(every=0)])


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_everybody_is_told_of_an_error(kind):
    class Fails(Callback):
        def on_step_end(self, step, logs):
            if step == 2:
                raise kind("enough")

        def on_exception(self, error):
            raise RuntimeError("and this")

    one, other = Witness(), Witness()
    model = small_learner(epochs=3)
    with pytest.raises(kind, match="enough") as caught:
        model.fit(random_tasks(tasks=12), callbacks=[one, Fails(), other])
    for witness in (one, other):
        assert witness.told[-1] == ("exception", kind.__name__, "enough")
        assert not witness.of("end")
    assert any("and this" in note for note in caught.value.__notes__)
    assert model.steps == 2 and np.isfinite(model.predict(random_tasks())).all()


def test_an_error_before_the_training_is_not_one_of_it():
    witness = Witness()
    with pytest.raises(InvalidValueError):
        small_learner(epochs=-1).fit(random_tasks(), callbacks=[witness])
    assert witness.told == []


# --- CSV ------------------------------------------------------------------------------------------


def lines(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_the_history(tmp_path):
    path = tmp_path / "epochs.csv"
    model = small_learner(epochs=3)
    model.fit(random_tasks(tasks=9), random_tasks(1), callbacks=[CSVLogger(path)])
    rows = lines(path)
    assert [int(row["step"]) for row in rows] == [3, 6, 9]
    for row, wanted in zip(rows, model.history_, strict=True):
        assert {name: float(row[name]) for name in wanted} == wanted


def test_csv_of_a_resumed_training_is_that_of_a_whole_one(tmp_path):
    one, other, kept = (tmp_path / name for name in ("one.csv", "other.csv", "run"))
    tasks = random_tasks(tasks=9)
    small_learner(epochs=4).fit(tasks, callbacks=[CSVLogger(one)])

    class Power(Exception):
        pass

    def cut(row):
        if row["epoch"] == 3:
            raise Power

    first = [CSVLogger(other), cut]  # The third epoch is written down, but not kept.
    with pytest.raises(Power):
        small_learner(epochs=4).fit(tasks, callbacks=first, checkpoint=kept)
    assert len(lines(other)) == 3
    small_learner(epochs=4).fit(tasks, callbacks=[CSVLogger(other)], checkpoint=kept, resume=True)
    assert other.read_text() == one.read_text()
    small_learner(epochs=1).fit(tasks, callbacks=[CSVLogger(other)])
    assert len(lines(other)) == 1


# --- trackers -------------------------------------------------------------------------------------


class Memory(mr.callbacks.Tracker):
    """A tracker that fails when told to."""

    def __init__(self, fails=(), **options):
        super().__init__(**options)
        self.fails, self.got, self.ended = fails, [], []

    def _start(self, run):
        if "start" in self.fails:
            raise OSError("no network")

    def _log(self, step, values):
        if step in self.fails:
            raise OSError("no network")
        self.got.append((step, values))

    def _end(self, error):
        self.ended.append(error)
        if "end" in self.fails:
            raise OSError("no network")


def test_a_tracker_gets_steps_and_epochs():
    tracker = Memory(every=2)
    model = small_learner(epochs=2).fit(random_tasks(tasks=9), callbacks=[tracker])
    assert [step for step, _ in tracker.got] == [2, 3, 4, 6, 6]
    assert [sorted(values) for _, values in tracker.got[:2]] == [
        ["step/gradient_norm", "step/loss", "step/lr"],
        ["epoch/loss", "epoch/lr", "epoch/number"],
    ]
    assert [v["epoch/loss"] for _, v in tracker.got if "epoch/loss" in v] == [
        row["loss"] for row in model.history_
    ]
    assert tracker.ended == [None]


@pytest.mark.parametrize("at", [3, "end"])
def test_a_tracker_that_fails_warns_once_and_training_goes_on(at):
    tracker, witness = Memory(fails=(at,), every=1), Witness()
    tasks = random_tasks(tasks=9)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = small_learner(epochs=3).fit(tasks, callbacks=[tracker, witness])
    ours = [each for each in caught if "Memory failed" in str(each.message)]
    assert len(ours) == 1 and "no network" in str(ours[0].message)
    assert len(witness.of("step")) == 9
    assert same_bits(copies(model), copies(small_learner(epochs=3).fit(tasks)))


def test_a_tracker_that_cannot_begin_says_so_before_training():
    model, before, after = small_learner(), Memory(), Memory()
    with pytest.raises(OSError, match="no network"):
        model.fit(random_tasks(), callbacks=[before, Memory(fails=("start",)), after])
    assert model.steps == 0
    assert len(before.ended) == 1 and after.ended == []  # What was begun is ended.


def test_a_tracker_is_told_how_it_ended():
    tracker = Memory()

    def fails(row):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError):
        small_learner().fit(random_tasks(), callbacks=[tracker, fails])
    assert [str(error) for error in tracker.ended] == ["enough"]
    # And can follow the next training.
    small_learner(epochs=1).fit(random_tasks(), callbacks=[tracker])
    assert tracker.ended[-1] is None
