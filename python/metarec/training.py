"""The epoch loop: validation, early stopping, checkpoints; the epochs themselves run in Swift."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metarec import callbacks as following
from metarec.arrays import as_count
from metarec.callbacks.callback import Listeners, Logs, Run
from metarec.checkpoint import Checkpoint, Keeper, Place
from metarec.components import component
from metarec.dataset import Dataset
from metarec.episodes import Episodes
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.progress import Bar, bar
from metarec.progress import Progress as Progress
from metarec.provenance import Provenance
from metarec.splits import Splits
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.learner import MetaLearner

History = list[dict[str, float]]
#: Losses whose predictions are scores, of which there is no error.
_RANKING = ("softmax", "bpr")
Callback = following.Callback | Callable[[Mapping[str, Any]], Any]


def train(
    model: "MetaLearner",
    data: Dataset | TaskSet,
    validation: Splits | TaskSet | None,
    progress: Progress,
    callbacks: Sequence[Callback],
    checkpoint: Checkpoint | str | Path | None,
    resume: bool,
) -> None:
    """Initialise `model` and train it for its epochs; keep the epoch that validates best."""
    epochs = as_count(model.epochs, "epochs")
    if model.patience is not None:
        as_count(model.patience, "patience", 1)
    if not isinstance(data, (Dataset, TaskSet)):
        raise InvalidTypeError(f"data: expected Dataset or TaskSet, got {type(data).__name__}")
    listeners, kept = Listeners(callbacks), Checkpoint.of(checkpoint)
    if not isinstance(resume, bool):
        raise InvalidTypeError(f"resume: expected True or False, got {resume!r}")
    if resume and kept is None:
        raise InvalidValueError("resume: expected a checkpoint to go on from, as checkpoint=")
    held_out = _held_out(validation)
    episodes = _episodes(model.episodes) if isinstance(data, Dataset) else None
    with bar(progress, epochs, "", "epochs") as shown:
        model.initialize(data)
        model.trained_on_ = Provenance.of(data)
        score = _meta_loss if model._components()["loss"].native_name in _RANKING else _rmse
        negatives = model.negatives
        if negatives is not None:
            counts, seed = model.item_counts_, model.seed
            held_out = {
                name: negatives.asked(each, counts, seed)  # `predict` draws those of the support.
                if score is _rmse
                else negatives.among(each, counts, seed, 0)
                for name, each in held_out.items()
            }
        tasks = data.tasks(min_ratings=2) if isinstance(data, Dataset) else data
        keeper = None if kept is None else Keeper(kept, model, tasks, list(held_out.values()))
        place = (keeper.resume() if resume and keeper is not None else None) or Place()
        if len(model.history_) + (place.step > 0) > epochs:
            raise InvalidValueError(
                f"checkpoint: of a training in epoch {len(model.history_) + (place.step > 0)}, "
                f"this one has {epochs}"
            )
        run = Run(model, model.get_params(), epochs, len(model.history_), model.steps)
        judge = _Judge(held_out, score)
        loop = _Loop(model, tasks, episodes, judge, listeners, keeper, shown, run, place)
        try:
            listeners.tell("on_fit_start", run)
            loop.run()
        except BaseException as error:
            listeners.exception(error)
            raise
        listeners.tell("on_fit_end", run)


class _Loop:
    """One call of `fit` under way."""

    def __init__(
        self,
        model: "MetaLearner",
        tasks: TaskSet,
        episodes: Episodes | None,
        judge: "_Judge",
        listeners: Listeners,
        keeper: Keeper | None,
        shown: Bar | None,
        run: Run,
        place: Place,
    ) -> None:
        self._model, self._native = model, model._native
        self._tasks, self._episodes, self._judge = tasks, episodes, judge
        self._listeners, self._keeper, self._shown = listeners, keeper, shown
        self._run, self._place = run, place
        self._intervals = listeners.intervals
        if keeper is not None and keeper.every is not None:
            self._intervals.append(keeper.every)

    def run(self) -> None:
        """Train from where it is to the end."""
        model, last = self._model, len(self._model.history_)
        for epoch in range(last, self._run.epochs):
            if self._is_over(epoch):
                break
            self._reduce_rate()
            self._finish(epoch, self._epoch(epoch))
        best = self._place.best
        if best is not None:
            for name, value in model.parameters().items():
                value[...] = best[2][name]

    def _is_over(self, epoch: int) -> bool:
        """Return whether patience is at its end before epoch number `epoch` (from 0)."""
        best, patience = self._place.best, self._model.patience
        return best is not None and patience is not None and epoch - 1 - best[1] >= patience

    # One epoch

    def _epoch(self, epoch: int) -> Logs:
        """Train through an epoch, or through what is left of it."""
        model, place, drawn = self._model, self._place, self._tasks
        bounds = None if self._episodes is None else self._episodes.bounds
        if model.negatives is not None:
            bounds = None  # They are drawn with the negatives.
            drawn = model.negatives.among(
                drawn,
                model.item_counts_,
                model.seed,
                epoch,
                episodes=self._episodes,
                batch_size=model._native_options()["batch_size"],
            )
        while True:
            told = self._native.train_epoch(
                drawn.native,
                bounds,
                epoch,
                None if self._shown is None else self._report(epoch),
                place.step,
                place.sum,
                self._next_stop(),
            )
            place.step, place.sum = told["step"], told["sum"]
            step = self._run.step = model.steps
            logs = {"loss": told["loss"], "gradient_norm": told["norm"], "lr": told["rate"]}
            self._listeners.step_end(step, logs)
            if place.step == told["steps"]:
                loss = place.sum / told["tasks"]
                place.step, place.sum = 0, 0.0
                return {"loss": loss, "lr": told["rate"]}
            if self._keeper is not None and self._is_due(step):
                self._keeper.save(place)

    def _next_stop(self) -> int | None:
        """Return after how many steps somebody wants to be told."""
        step = self._run.step
        return min((every - step % every for every in self._intervals), default=None)

    def _is_due(self, step: int) -> bool:
        every = None if self._keeper is None else self._keeper.every
        return every is not None and step % every == 0

    def _finish(self, epoch: int, logs: Logs) -> None:
        """Judge an epoch, tell of it and keep it."""
        model, place = self._model, self._place
        row = {"epoch": epoch + 1, "loss": logs["loss"]}
        if self._judge.held_out:
            scores = self._judge(model)
            row["validation"] = score = float(np.mean(list(scores.values())))
            told = {"validation": score}
            told |= {f"validation/{name}": each for name, each in scores.items() if name}
            self._listeners.tell("on_eval", epoch + 1, dict(told))
            logs = logs | told
            if np.isfinite(score) and (place.best is None or score < place.best[0]):
                parameters = {name: value.copy() for name, value in model.parameters().items()}
                place.best = score, epoch, parameters
        model.history_.append(row)
        self._run.epoch = epoch + 1
        if self._shown is not None:
            self._shown.show(epoch + 1, {name: row[name] for name in row if name != "epoch"})
        self._listeners.epoch_end(epoch + 1, logs, row)
        if self._keeper is not None:
            is_last = epoch + 1 == self._run.epochs or self._is_over(epoch + 1)
            if self._keeper.every is None or is_last or self._is_due(self._run.step):
                self._keeper.save(place)

    def _reduce_rate(self) -> None:
        """Set the learning rate's share to what the plateaus so far leave of it."""
        parts = self._model._components()
        schedule = parts.get("schedule") or component("schedule", self._model.schedule)
        if schedule.native_name != "reduce_on_plateau":
            return
        rows = self._model.history_
        count = plateaus([row.get("validation", row["loss"]) for row in rows], schedule.patience)
        share = max(schedule.final, schedule.factor**count)
        if share != self._native.rate_share:
            self._native.rate_share = share

    def _report(self, epoch: int) -> Callable[[float, float], None]:
        shown = self._shown

        def update(fraction: float, loss: float) -> None:
            if shown is not None:
                shown.show(epoch + fraction, {"loss": loss})

        return update


def plateaus(scores: Sequence[float], patience: int) -> int:
    """Return how often `patience` scores in a row were no better than the best before."""
    best, since, count = np.inf, 0, 0
    for score in scores:
        if score < best:
            best, since = score, 0
        else:
            since += 1
        if since == patience:
            count, since = count + 1, 0
    return count


@dataclass(frozen=True)
class _Judge:
    """What epochs are judged by: tasks by scenario, and their score, lower being better."""

    held_out: Mapping[str, TaskSet]
    score: Callable[["MetaLearner", TaskSet], float]

    def __call__(self, model: "MetaLearner") -> dict[str, float]:
        return {name: self.score(model, tasks) for name, tasks in self.held_out.items()}


def _episodes(episodes: Episodes | None) -> Episodes:
    if episodes is not None and not isinstance(episodes, Episodes):
        raise InvalidTypeError(f"episodes: expected Episodes, got {type(episodes).__name__}")
    return episodes or Episodes()


def _held_out(validation: Splits | TaskSet | None) -> dict[str, TaskSet]:
    """Return the tasks to judge an epoch by: the first draw of every scenario that has tasks."""
    if validation is None:
        return {}
    if isinstance(validation, TaskSet):
        return {"": validation}
    if isinstance(validation, Splits):
        return {name: each.tasks(draw=0) for name, each in validation.items() if len(each)}
    raise InvalidTypeError(
        f"validation: expected splits.validation or a TaskSet, got {type(validation).__name__}"
    )


def _rmse(model: "MetaLearner", tasks: TaskSet) -> float:
    errors = model.predict(tasks) - tasks.query_targets()[0]
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def _meta_loss(model: "MetaLearner", tasks: TaskSet) -> float:
    return model._native.meta_gradient(tasks.native)[0]
