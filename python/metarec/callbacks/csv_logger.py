"""Every epoch as a line of a file."""

import csv
from pathlib import Path

from metarec.callbacks.callback import Callback, Logs, Run


class CSVLogger(Callback):
    """Write every epoch as a line of a CSV file: ``epoch``, ``step``, then its numbers.

    A line is on disk when its epoch ends. A training that begins writes the file anew; one that is
    resumed goes on behind the epochs that it goes on from.

    Parameters
    ----------
    path : str or Path

    Examples
    --------
    >>> import metarec as mr, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "epochs.csv")
    >>> data = mr.datasets.synthetic(users=50, items=40, seed=0)
    >>> model = mr.MeLU(epochs=2).fit(data, callbacks=[mr.callbacks.CSVLogger(path)])
    >>> path.read_text().splitlines()[0]
    'epoch,step,loss,lr'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def on_fit_start(self, run: Run) -> None:
        """Begin the file, or keep of it what comes before the run."""
        self._run, rows = run, []
        if run.step and self.path.exists():
            with open(self.path, newline="") as file:
                rows = list(csv.reader(file))
        kept = rows[:1] + [r for r in rows[1:] if r and r[0].isdigit() and int(r[0]) <= run.epoch]
        self._columns = kept[0] if kept else None
        with open(self.path, "w", newline="") as file:
            csv.writer(file).writerows(kept)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Add a line."""
        row: dict[str, float | str] = {"epoch": epoch, "step": self._run.step, **logs}
        with open(self.path, "a", newline="") as file:
            if self._columns is None:
                self._columns = list(row)
                csv.writer(file).writerow(self._columns)
            csv.writer(file).writerow([row.get(name, "") for name in self._columns])
