"""What the adapters of experiment trackers share."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from typing import Any

from metarec.arrays import as_count
from metarec.callbacks.callback import Callback, Logs, Run
from metarec.errors import MissingDependencyError


class Tracker(Callback, ABC):
    """Sends what training tells somewhere, where it failing must not end the training.

    Of every so many outer steps ``step/loss``, ``step/gradient_norm`` and ``step/lr``; of every
    epoch ``epoch/loss``, ``epoch/lr`` and, with validation, ``epoch/validation`` and
    ``epoch/validation/<scenario>``; all by the number of the outer step. The options are sent once.
    If the tracker raises while training runs, a warning says so once and training goes on without.

    Parameters
    ----------
    every : int
        Outer steps from one record to the next.
    """

    def __init__(self, every: int = 10) -> None:
        self.every = as_count(every, "every", 1)
        self._run: Run | None = None

    def on_fit_start(self, run: Run) -> None:
        """Begin."""
        self._start(run)
        self._run = run

    def on_step_end(self, step: int, logs: Logs) -> None:
        """Send a step's numbers."""
        self._attempt(self._log, step, {f"step/{name}": value for name, value in logs.items()})

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Send an epoch's numbers."""
        if self._run is not None:
            values = {f"epoch/{name}": value for name, value in logs.items()}
            self._attempt(self._log, self._run.step, values | {"epoch/number": float(epoch)})

    def on_fit_end(self, run: Run) -> None:
        """Finish well."""
        self._attempt(self._end, None)
        self._run = None

    def on_exception(self, error: BaseException) -> None:
        """Finish, not so well."""
        self._attempt(self._end, error)
        self._run = None

    def _attempt(self, method: Callable[..., None], *arguments: Any) -> None:
        """Call a method; where it fails warn, and send no more."""
        if self._run is None:
            return
        try:
            method(*arguments)
        except Exception as error:
            self._run = None
            warnings.warn(
                f"{type(self).__name__} failed and records no more of this training: {error!r}",
                RuntimeWarning,
                stacklevel=2,
            )

    @abstractmethod
    def _start(self, run: Run) -> None: ...

    @abstractmethod
    def _log(self, step: int, values: Logs) -> None: ...

    @abstractmethod
    def _end(self, error: BaseException | None) -> None: ...


def required(module: str, extra: str) -> Any:
    """Import a package that an adapter needs.

    Raises
    ------
    MissingDependencyError
        It is not installed; the message has the line that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f"this callback needs {package}: pip install 'metarec[{extra}]'"
        ) from error


def simple(value: Any) -> bool | int | float | str:
    """Return an option as a tracker takes it."""
    return value if isinstance(value, (bool, int, float, str)) else repr(value)
