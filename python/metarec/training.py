"""The epoch loop: progress, validation, early stopping; the epochs themselves run in Swift."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count
from metarec.dataset import Dataset
from metarec.episodes import Episodes
from metarec.errors import InvalidTypeError
from metarec.provenance import Provenance
from metarec.splits import Splits
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.learner import MetaLearner

Progress = bool | Literal["auto"]
History = list[dict[str, float]]
#: Losses whose predictions are scores, of which there is no error.
_RANKING = ("softmax", "bpr")
Callback = Callable[[Mapping[str, Any]], Any]


def train(
    model: "MetaLearner",
    data: Dataset | TaskSet,
    validation: Splits | TaskSet | None,
    progress: Progress,
    callbacks: Sequence[Callback],
) -> None:
    """Initialise `model` and train it for its epochs; keep the epoch that validates best."""
    epochs = as_count(model.epochs, "epochs")
    patience = None if model.patience is None else as_count(model.patience, "patience", 1)
    if not isinstance(data, (Dataset, TaskSet)):
        raise InvalidTypeError(f"data: expected Dataset or TaskSet, got {type(data).__name__}")
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise InvalidTypeError(f"callbacks: expected a sequence of callables, got {callbacks!r}")
    held_out = _held_out(validation)
    episodes = _episodes(model.episodes) if isinstance(data, Dataset) else None
    bounds = None if episodes is None or model.negatives is not None else episodes.bounds
    best: tuple[float, int, dict[str, NDArray[Any]]] | None = None
    with _bar(progress, epochs) as bar:
        model.initialize(data)
        model.trained_on_ = Provenance.of(data)
        score = _meta_loss if model._components()["loss"].native_name in _RANKING else _rmse
        negatives = model.negatives
        if negatives is not None:
            counts, seed = model.item_counts_, model.seed
            held_out = [
                negatives.asked(each, counts, seed)  # `predict` draws those of the support.
                if score is _rmse
                else negatives.among(each, counts, seed, 0)
                for each in held_out
            ]
        tasks = data.tasks(min_ratings=2) if isinstance(data, Dataset) else data
        batch_size = model._native_options()["batch_size"]
        for epoch in range(epochs):
            report = _report(bar, epoch)
            drawn = tasks
            if negatives is not None:
                drawn = negatives.among(
                    tasks, counts, seed, epoch, episodes=episodes, batch_size=batch_size
                )
            loss = model._native.train_epoch(drawn.native, bounds, epoch, report)
            row = {"epoch": epoch + 1, "loss": loss}
            if held_out:
                row["validation"] = value = score(model, held_out)
                if np.isfinite(value) and (best is None or value < best[0]):
                    parameters = {name: kept.copy() for name, kept in model.parameters().items()}
                    best = value, epoch, parameters
            model.history_.append(row)
            if bar is not None:
                bar.n = epoch + 1
                bar.set_postfix({name: f"{row[name]:.4f}" for name in row if name != "epoch"})
            for callback in callbacks:
                callback(row)
            if best is not None and patience is not None and epoch - best[1] >= patience:
                break
    if best is not None:
        for name, parameter in model.parameters().items():
            parameter[...] = best[2][name]


def _episodes(episodes: Episodes | None) -> Episodes:
    if episodes is not None and not isinstance(episodes, Episodes):
        raise InvalidTypeError(f"episodes: expected Episodes, got {type(episodes).__name__}")
    return episodes or Episodes()


def _held_out(validation: Splits | TaskSet | None) -> list[TaskSet]:
    """Return the tasks to judge an epoch by: the first draw of every scenario that has tasks."""
    if validation is None:
        return []
    if isinstance(validation, TaskSet):
        return [validation]
    if isinstance(validation, Splits):
        return [scenario.tasks(draw=0) for scenario in validation.values() if len(scenario)]
    raise InvalidTypeError(
        f"validation: expected splits.validation or a TaskSet, got {type(validation).__name__}"
    )


def _rmse(model: "MetaLearner", held_out: Sequence[TaskSet]) -> float:
    def of(tasks: TaskSet) -> float:
        errors = model.predict(tasks) - tasks.query_targets()[0]
        return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))

    return float(np.mean([of(tasks) for tasks in held_out]))


def _meta_loss(model: "MetaLearner", held_out: Sequence[TaskSet]) -> float:
    return float(np.mean([model._native.meta_gradient(tasks.native)[0] for tasks in held_out]))


def _bar(progress: Progress, epochs: int) -> AbstractContextManager[Any]:
    if progress not in (True, False, "auto"):
        raise InvalidTypeError(f"progress: expected 'auto', True or False, got {progress!r}")
    seen = "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
    if progress is False or (progress == "auto" and not seen):
        return nullcontext()
    from tqdm.auto import tqdm

    form = "{l_bar}{bar}| {n:.1f}/{total} epochs [{elapsed}<{remaining}{postfix}]"
    bar: AbstractContextManager[Any] = tqdm(total=epochs, unit="epoch", bar_format=form)
    return bar


def _report(bar: Any, epoch: int) -> Callable[[float, float], None] | None:
    if bar is None:
        return None

    def update(fraction: float, loss: float) -> None:
        bar.n = epoch + fraction
        if np.isfinite(loss):
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        bar.refresh()

    return update
