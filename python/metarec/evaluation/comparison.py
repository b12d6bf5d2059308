"""Two models side by side, on the same users and draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metarec.evaluation.frame import REAL, TEXT, WHOLE, to_frame
from metarec.evaluation.metrics import Metric
from metarec.evaluation.table import Table

_SCHEMA = {
    **dict.fromkeys(("scenario", "metric", "decision"), TEXT),
    "support_size": WHOLE,
    **dict.fromkeys(("difference", "low", "high"), REAL),
    "tasks": WHOLE,
}


@dataclass(frozen=True)
class Comparison:
    """Paired differences `a` − `b` of two models, over the same users and draws."""

    a: str
    b: str
    rows: list[dict[str, Any]]

    def to_frame(self, backend: str | None = None) -> Any:
        """Return one row per difference.

        Columns ``scenario, metric, decision, support_size, difference, low, high, tasks``. The
        frame's kind is chosen as in `Report.to_frame`.
        """
        return to_frame(self.rows, _SCHEMA, backend)

    def _table(self) -> Table:
        rows = [
            [
                f"{row['scenario']}, {label(row['metric'], row['decision'])}"
                + ("" if row["support_size"] is None else f", {row['support_size']} ratings"),
                f"{row['difference']:+z.4f}",
                f"[{row['low']:+z.4f}, {row['high']:+z.4f}]",
                row["better"],
            ]
            for row in self.rows
        ]
        title = f"{self.a} - {self.b}, paired over users, 95 % intervals"
        return Table(title, ["", "difference", "interval", "better"], rows)

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def label(metric: str, decision: str) -> str:
    """Return how tables name a metric of a decision."""
    return metric if decision == "mean" or metric == "accuracy" else f"{metric} ({decision})"


def better(a: str, b: str, low: float, high: float, metric: Metric) -> str:
    """Return the model that the whole interval favours, or nothing."""
    if not (low > 0 or high < 0):
        return ""
    return a if (high < 0) == metric.loss else b
