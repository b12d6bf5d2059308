"""The trackers' own files say what training told them; where a package is missing, so do we."""

import os
import struct
import subprocess
import sys
import time
import types
import warnings

import pytest
from learners import copies, random_tasks, same_bits, small_learner

import metarec as mr
from metarec.callbacks import Callback, MLflow, TensorBoard, WandB
from metarec.errors import MissingDependencyError


class Kept(Callback):
    """What everybody was told, to compare with."""

    def __init__(self):
        self.steps, self.epochs = {}, {}

    def on_step_end(self, step, logs):
        self.steps[step] = logs["loss"]

    def on_epoch_end(self, epoch, logs):
        self.epochs[epoch] = logs["validation"]


def trained(tracker, **options):
    """A training of three steps an epoch that a tracker follows."""
    kept = Kept()
    model = small_learner(epochs=2)
    model.fit(random_tasks(tasks=9), random_tasks(1), callbacks=[tracker, kept], **options)
    return kept


# --- TensorBoard ----------------------------------------------------------------------------------


def scalars(folder):
    """(tag, step) -> value of all event files, by TensorBoard's reader where there is one."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        return scalars_by_hand(folder)
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    tags = events.Tags()["scalars"]
    return {(tag, e.step): e.value for tag in tags for e in events.Scalars(tag)}


def scalars_by_hand(folder):
    """The same: records of a length, its checksum, an event, its checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = {}
    for path in sorted(folder.glob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = event_pb2.Event.FromString(content[at + 12 : at + 12 + length])
            at += length + 16
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found[value.tag, event.step] = value.simple_value
    return found


def test_tensorboard_has_what_was_told(tmp_path):
    pytest.importorskip("tensorboardX")
    kept = trained(TensorBoard(tmp_path, every=1))
    found = scalars(tmp_path)
    for step, loss in kept.steps.items():
        assert found["step/loss", step] == pytest.approx(loss, rel=1e-6)
    for epoch, score in kept.epochs.items():
        assert found["epoch/validation", 3 * epoch] == pytest.approx(score, rel=1e-6)
    assert {tag for tag, _ in found} == {
        "step/loss", "step/gradient_norm", "step/lr",
        "epoch/loss", "epoch/lr", "epoch/validation", "epoch/number",
    }  # fmt: skip


def test_tensorboard_of_a_resumed_training(tmp_path):
    pytest.importorskip("tensorboardX")

    def cut(row):
        raise RuntimeError("power")

    tasks, board = random_tasks(tasks=9), tmp_path / "board"
    options = {"checkpoint": mr.Checkpoint(tmp_path / "run", every=2)}
    with pytest.raises(RuntimeError):
        small_learner(epochs=2).fit(tasks, callbacks=[TensorBoard(board, every=1), cut], **options)
    assert ("step/loss", 3) in scalars(board)
    kept = Kept()
    kept.on_epoch_end = lambda epoch, logs: None
    follow = [TensorBoard(board, every=1), kept]
    small_learner(epochs=2).fit(tasks, callbacks=follow, resume=True, **options)
    assert list(kept.steps) == [3, 4, 5, 6]
    assert {step for tag, step in scalars(board) if tag == "step/loss"} == set(range(1, 7))


def test_without_tensorboardx_pytorchs_writer_is_taken(tmp_path, monkeypatch):
    told = []

    class SummaryWriter:
        def __init__(self, folder):
            told.append(folder)

        def add_text(self, tag, text):
            assert "| batch_size | 4 |" in text

        def add_scalar(self, tag, value, step):
            told.append((tag, step))

        def flush(self):
            pass

        def close(self):
            told.append("closed")

    for name in ("torch", "torch.utils", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["torch.utils.tensorboard"].SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "tensorboardX", None)  # as if it were not there
    trained(TensorBoard(tmp_path, every=3))
    assert told[0] == str(tmp_path) and told[-1] == "closed"
    assert [step for each in told if (step := each[1:]) and each[0] == "step/loss"] == [(3,), (6,)]


# --- Weights & Biases -----------------------------------------------------------------------------


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    module = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield module
    module.finish()


def test_wandb_makes_a_run_and_finishes_it(wandb, tmp_path):
    trained(WandB(project="metarec-tests", every=1))
    assert wandb.run is None
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    (record,) = folder.glob("run-*.wandb")
    words = (b"step/gradient_norm", b"epoch/validation", b"algorithm__inner_lr")
    for _ in range(200):  # A process of wandb's own writes it.
        content = record.read_bytes()
        if all(word in content for word in words):
            return
        time.sleep(0.1)
    raise AssertionError(f"{len(content)} bytes of wandb's have not all of {words}")


def test_wandb_leaves_a_run_that_it_was_given_open(wandb):
    run = wandb.init(project="metarec-tests")
    kept = trained(WandB(run, every=1))
    assert wandb.run is run  # Not finished:
    run.log({"mine": 1.0})
    assert run.summary["epoch/validation"] == pytest.approx(kept.epochs[2])
    assert run.summary["outer_step"] == 6
    assert run.config["batch_size"] == 4
    trained(WandB(every=1))  # The active run is taken too.
    assert wandb.run is run
    run.finish()


# --- MLflow ---------------------------------------------------------------------------------------


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a store without SQLAlchemy
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    module = pytest.importorskip("mlflow")
    before = module.get_tracking_uri()
    module.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield module
    while module.active_run():
        module.end_run()
    module.set_tracking_uri(before)


def test_mlflow_makes_a_run_and_ends_it(mlflow):
    kept = trained(MLflow(experiment="tests", every=1))
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("tests")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED" and run.data.params["algorithm__inner_lr"] == "0.1"
    history = client.get_metric_history(run.info.run_id, "step/loss")
    assert {m.step: m.value for m in history} == pytest.approx(kept.steps)
    history = client.get_metric_history(run.info.run_id, "epoch/validation")
    assert {m.step: m.value for m in history} == pytest.approx(
        {3 * epoch: score for epoch, score in kept.epochs.items()}
    )


def test_mlflow_leaves_a_run_that_it_was_given_open(mlflow):
    with mlflow.start_run() as run:
        trained(MLflow())
        mlflow.log_metric("mine", 1.0)
        assert mlflow.active_run().info.run_id == run.info.run_id
    client = mlflow.MlflowClient()
    other = client.create_run("0").info.run_id
    trained(MLflow(other))
    assert client.get_run(other).info.status == "RUNNING"
    for number in (run.info.run_id, other):
        assert "epoch/validation" in client.get_run(number).data.metrics


def test_mlflow_is_told_of_a_failure(mlflow):
    def fails(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_learner().fit(random_tasks(), callbacks=[MLflow(experiment="failing"), fails])
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("failing")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "KILLED"


# --- all of them ----------------------------------------------------------------------------------

MADE = {
    "tensorboardX": lambda: TensorBoard("nowhere"),
    "wandb": lambda: WandB(),
    "mlflow": lambda: MLflow(),
}


@pytest.mark.parametrize("package", MADE)
def test_a_missing_package_is_named_when_the_callback_is_made(package, monkeypatch):
    hidden = (package, "torch")
    for name in [name for name in sys.modules if name.split(".")[0] in hidden]:
        monkeypatch.delitem(sys.modules, name)

    class Hides:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in hidden:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Hides(), *sys.meta_path])
    extra = package.removesuffix("X").lower()
    with pytest.raises(MissingDependencyError, match=rf"pip install 'metarec\[{extra}\]'"):
        MADE[package]()


def test_importing_metarec_imports_none_of_them():
    names = "('tensorboardX', 'wandb', 'mlflow')"
    program = f"import metarec, sys; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_a_board_that_fails_in_the_middle_does_not_end_the_training(tmp_path):
    pytest.importorskip("tensorboardX")
    board = TensorBoard(tmp_path, every=1)
    tasks = random_tasks(tasks=9)

    writers = []

    def breaks(row):
        writers.append(board._writer)
        board._writer = None

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = small_learner(epochs=3).fit(tasks, callbacks=[board, breaks])
    assert [str(each.message)[:18] for each in caught if each.category is RuntimeWarning] == [
        "TensorBoard failed"
    ]
    assert same_bits(copies(model), copies(small_learner(epochs=3).fit(tasks)))
    writers[0].close()
    assert {step for tag, step in scalars(tmp_path) if tag == "step/loss"} == {1, 2, 3}
