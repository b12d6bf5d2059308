"""What a callback is told, and by which names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metarec.arrays import as_count
from metarec.errors import InvalidTypeError

if TYPE_CHECKING:
    from metarec.learner import MetaLearner

#: Numbers by name.
Logs = dict[str, float]


@dataclass
class Run:
    """One call of `fit`, as it stands.

    Attributes
    ----------
    model : MetaLearner
        What is trained.
    options : dict
        Its options by name, those of its parts too: ``"algorithm__inner_lr"``.
    epochs : int
        How many there will be at most.
    epoch, step : int
        Finished epochs and outer steps; not 0 at the start of a resumed run.
    """

    model: "MetaLearner"
    options: dict[str, Any]
    epochs: int
    epoch: int = 0
    step: int = 0


class Callback:
    """Follows a training: override what you want to be told.

    Calls come from the thread that trains, between two outer steps; the model can be used, saved
    and read in them. What one raises ends the training: the model has the parameters of that step.
    A plain callable is a callback too: it gets every epoch's row of `history_`.

    Attributes
    ----------
    every : int
        `on_step_end` comes after each so many outer steps.

    Examples
    --------
    >>> import metarec as mr
    >>> class Watch(mr.callbacks.Callback):
    ...     every = 5
    ...     def on_step_end(self, step, logs):
    ...         print(step, sorted(logs))
    >>> data = mr.datasets.synthetic(users=200, items=40, seed=0)
    >>> model = mr.MeLU(epochs=1, seed=0).fit(data, callbacks=[Watch()])
    5 ['gradient_norm', 'loss', 'lr']
    """

    every: int = 1

    def on_fit_start(self, run: Run) -> None:
        """Training is about to begin, or to go on from a checkpoint."""

    def on_step_end(self, step: int, logs: Logs) -> None:
        """Outer step number `step` is finished; the first is 1.

        `logs`: ``loss``, the mean meta-loss of its batch, ``gradient_norm`` before clipping, and
        the learning rate, ``lr``.
        """

    def on_eval(self, epoch: int, logs: Logs) -> None:
        """Validate: ``validation``, and ``validation/<scenario>`` of each."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Epoch number `epoch` is finished; the first is 1.

        `logs`: ``loss``, the mean over its steps, ``lr`` of the last one, and what `on_eval` had.
        """

    def on_fit_end(self, run: Run) -> None:
        """Training ended well; the model has the best epoch's parameters."""

    def on_exception(self, error: BaseException) -> None:
        """Training ends by an error, Ctrl-C, or what a callback raised; it is raised after this."""


EVENTS = (
    "on_fit_start",
    "on_step_end",
    "on_eval",
    "on_epoch_end",
    "on_fit_end",
    "on_exception",
)


class Listeners:
    """The callbacks of one call of `fit`, checked."""

    def __init__(self, callbacks: Any) -> None:
        wanted = "callbacks: expected a sequence of callables or of objects with "
        if not isinstance(callbacks, Sequence) or isinstance(callbacks, (str, bytes)):
            raise InvalidTypeError(f"{wanted}{', '.join(EVENTS)}; got {callbacks!r}")
        for each in callbacks:
            if isinstance(each, type):
                raise InvalidTypeError(
                    f"callbacks: got the class {each.__name__}, wanted an object of it"
                )
            if not callable(each) and not any(hasattr(each, event) for event in EVENTS):
                raise InvalidTypeError(f"{wanted}{', '.join(EVENTS)}; got {each!r}")
        self._all = list(callbacks)
        #: Those that follow the steps, and how many steps each lets pass.
        self._steps: list[tuple[Callable[[int, Logs], Any], int]] = []
        for each in callbacks:
            told = getattr(each, "on_step_end", None)
            if told is not None and getattr(told, "__func__", None) is not Callback.on_step_end:
                every = as_count(getattr(each, "every", 1), "callbacks: every", 1)
                self._steps.append((told, every))

    @property
    def intervals(self) -> list[int]:
        """After how many steps somebody wants to be told."""
        return [every for _, every in self._steps]

    def step_end(self, step: int, logs: Logs) -> None:
        """Tell those whose turn it is."""
        for told, every in self._steps:
            if step % every == 0:
                told(step, dict(logs))

    def epoch_end(self, epoch: int, logs: Logs, row: Mapping[str, float]) -> None:
        """Tell everybody; plain callables get the row of the history."""
        for each in self._all:
            if hasattr(each, "on_epoch_end"):
                each.on_epoch_end(epoch, dict(logs))
            elif not any(hasattr(each, event) for event in EVENTS):
                each(row)

    def tell(self, event: str, *arguments: Any) -> None:
        """Call a method of everybody who has it."""
        for each in self._all:
            method = getattr(each, event, None)
            if method is not None:
                method(*arguments)

    def exception(self, error: BaseException) -> None:
        """Tell everybody of `error`, which nothing they raise may hide."""
        for each in self._all:
            try:
                getattr(each, "on_exception", lambda _: None)(error)
            except Exception as other:
                error.add_note(f"and {type(each).__name__}.on_exception raised {other!r}")
