"""What `tune` gives: the best options, and every trial that led there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metarec.errors import InvalidValueError
from metarec.evaluation.frame import to_frame
from metarec.evaluation.table import Table

FORMAT = 1
#: Trials that are shown, the best ones.
_SHOWN = 5


@dataclass(frozen=True, repr=False)
class Tuning:
    """The best options of a model on the validation scenarios, and all trials.

    Shown, it is a table of the best trials. Trials that failed are in `trials` and in the frame,
    with what failed.

    Attributes
    ----------
    best
        An unfitted model with the best options.
    options
        The best value of every option that was tuned.
    value
        Its value: the metric less that of the floor, a mean over the scenarios.
    trials
        A dict a trial, in order: ``trial``, ``state`` (``"complete"`` or ``"failed"``), ``value``,
        the difference in every scenario, ``seconds``, the options, and ``error``.
    info
        What it depends on: the call and the command, data and split with their hashes, versions,
        metric, scenarios with their weights, seeds and the space.
    """

    best: Any
    options: dict[str, Any]
    value: float
    trials: list[dict[str, Any]]
    info: dict[str, Any]
    _loss: bool

    @property
    def failed(self) -> int:
        """Number of trials that failed."""
        return sum(row["state"] == "failed" for row in self.trials)

    def to_frame(self, backend: str | None = None) -> Any:
        """Return the trials as a frame, of a kind chosen as in `Report.to_frame`."""
        kinds = {"trial": int, "state": str, "error": str} | {
            name: _kind([row[name] for row in self.trials]) for name in self.options
        }
        schema = {name: kinds.get(name, float) for name in self.trials[0]}
        rows = [
            {
                name: str(value) if schema[name] is str and value is not None else value
                for name, value in row.items()
            }
            for row in self.trials
        ]
        return to_frame(rows, schema, backend)

    def _table(self) -> Table:
        metric, scenarios = self.info["metric"], list(self.info["scenarios"])
        done = [row for row in self.trials if row["state"] == "complete"]
        done.sort(key=lambda row: row["value"] if self._loss else -row["value"])
        shown = [
            [
                str(row["trial"]),
                *(f"{row[name]:+z.4f}" for name in ("value", *scenarios)),
                *(_told(row[name]) for name in self.options),
            ]
            for row in done[:_SHOWN]
        ]
        failed = f", {self.failed} failed" if self.failed else ""
        floor = "".join(f" - {name}" for name in self.info["floor"] or ())
        title = (
            f"Tuning of {type(self.best).__name__}: {metric}{floor} in validation, "
            f"{len(self.trials)} trials{failed}"
        )
        return Table(title, ["trial", "value", *scenarios, *self.options], shown)

    def __repr__(self) -> str:
        return f"{self._table().text()}\nbest: {self.best!r}"

    def _repr_html_(self) -> str:
        return self._table().html()

    def save(self, path: str | Path) -> None:
        """Write options, trials and all they depend on to a JSON file, as a record.

        Values that JSON does not have are written as their repr.

        Raises
        ------
        InvalidValueError
            The path does not end in ``.json``.
        """
        path = Path(path)
        if path.suffix != ".json":
            raise InvalidValueError(f"path: got {str(path)!r}, wanted a name ending in .json")
        state = {
            "format": FORMAT,
            "best": repr(self.best),
            "options": self.options,
            "value": self.value,
            **self.info,
        }
        lines = [f"{json.dumps(name)}: {_json(part)}" for name, part in state.items()]
        trials = ",\n".join(_json(row) for row in self.trials)
        lines.append(f'"trials": [\n{trials}\n]')
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _json(value: Any) -> str:
    def plain(other: Any) -> Any:
        return other.item() if isinstance(other, np.generic) else repr(other)

    return json.dumps(value, default=plain)


def _kind(values: list[Any]) -> Any:
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return int
    return float if kinds <= {int, float} else str


def _told(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
