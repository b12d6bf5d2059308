"""Weights & Biases."""

from typing import Any

from metarec.callbacks.callback import Logs, Run
from metarec.callbacks.tracker import Tracker, required, simple


class WandB(Tracker):
    """Send the training to a run of Weights & Biases (``pip install 'metarec[wandb]'``).

    To `run`, else to the process's active run, else to a run of its own: only that one it finishes.

    Parameters
    ----------
    run : wandb's Run, optional
    every : int
        Outer steps from one record to the next.
    **init
        For ``wandb.init`` of a run of its own, such as ``project="melu"`` or ``mode="offline"``.

    Raises
    ------
    MissingDependencyError
        wandb is not installed.

    Examples
    --------
    >>> import metarec as mr
    >>> sent = mr.callbacks.WandB(project="melu", mode="offline")  # doctest: +SKIP
    >>> model = mr.MeLU(epochs=2).fit(data, callbacks=[sent])  # doctest: +SKIP
    """

    def __init__(self, run: Any = None, *, every: int = 10, **init: Any) -> None:
        super().__init__(every)
        self._wandb = required("wandb", "wandb")
        self._given, self._init = run, init

    def _start(self, run: Run) -> None:
        known = self._given if self._given is not None else self._wandb.run
        self._own = known is None
        self._sink = self._wandb.init(**self._init) if known is None else known
        options = {name: simple(value) for name, value in run.options.items()}
        self._sink.config.update(options, allow_val_change=True)
        # Others may log to the run by steps of their own.
        self._sink.define_metric("outer_step")
        for group in ("step/*", "epoch/*"):
            self._sink.define_metric(group, step_metric="outer_step")

    def _log(self, step: int, values: Logs) -> None:
        self._sink.log({**values, "outer_step": step})

    def _end(self, error: BaseException | None) -> None:
        if self._own:
            self._sink.finish(exit_code=0 if error is None else 1)
