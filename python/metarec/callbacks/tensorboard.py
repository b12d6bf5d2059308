"""TensorBoard."""

from pathlib import Path
from typing import Any

from metarec.callbacks.callback import Logs, Run
from metarec.callbacks.tracker import Tracker, required, simple
from metarec.errors import MissingDependencyError


class TensorBoard(Tracker):
    """Write the training to a folder that TensorBoard shows.

    By tensorboardX (``pip install 'metarec[tensorboard]'``), else by PyTorch where that is
    installed. A run that is resumed into the same folder replaces what came after its checkpoint.

    Parameters
    ----------
    folder : str or Path
        A folder of this run, such as ``"runs/melu-3"``; ``tensorboard --logdir runs`` shows it.
    every : int
        Outer steps from one record to the next.

    Raises
    ------
    MissingDependencyError
        Neither package is installed.

    Examples
    --------
    >>> import metarec as mr
    >>> board = mr.callbacks.TensorBoard("runs/melu")  # doctest: +SKIP
    >>> model = mr.MeLU(epochs=2).fit(data, callbacks=[board])  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path, *, every: int = 10) -> None:
        super().__init__(every)
        self.folder = Path(folder)
        self._kind = _writer()

    def _start(self, run: Run) -> None:
        # A writer of the same second would have the same file.
        resumed = (
            {"purge_step": run.step + 1, "filename_suffix": f".{run.step}"} if run.step else {}
        )
        self._writer = self._kind(str(self.folder), **resumed)
        if not run.step:
            rows = [f"| {name} | {simple(value)} |" for name, value in run.options.items()]
            self._writer.add_text("options", "\n".join(["| option | value |", "|---|---|", *rows]))

    def _log(self, step: int, values: Logs) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def _end(self, error: BaseException | None) -> None:
        self._writer.close()


def _writer() -> Any:
    try:
        return required("tensorboardX", "tensorboard").SummaryWriter
    except MissingDependencyError:
        try:
            return required("torch.utils.tensorboard", "tensorboard").SummaryWriter
        except MissingDependencyError:
            pass
        raise
