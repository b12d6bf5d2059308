"""Models side by side, on the same users and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from metarec.evaluation.frame import Rows
from metarec.evaluation.metrics import Floats, Metric
from metarec.evaluation.scores import Interval, central, p_value
from metarec.evaluation.table import Table


@dataclass(frozen=True, repr=False)
class Comparison(Rows):
    """Paired differences `a` − `b` of models, over the same users and draws.

    Each row's `p_value` is that of no difference, two-sided, from the paired bootstrap over users;
    `p_holm` allows for the number of rows (Holm 1979): read it where the best of many differences
    is picked.
    """

    _schema: ClassVar[Mapping[str, Any]] = {
        **dict.fromkeys(("a", "b", "scenario", "metric", "decision", "decision_b"), str),
        "support_size": int,
        **dict.fromkeys(("difference", "low", "high", "p_value", "p_holm"), float),
        "tasks": int,
        "better": str,
    }

    def _table(self) -> Table:
        pairs = list(dict.fromkeys((row["a"], row["b"]) for row in self.rows))
        rows = []
        for row in self.rows:
            what = f"{row['scenario']}, {label(row['metric'], row['decision'], row['decision_b'])}"
            if row["support_size"] is not None:
                what += f", {row['support_size']} ratings"
            rows.append(
                [
                    what if len(pairs) == 1 else f"{row['a']} - {row['b']}: {what}",
                    f"{row['difference']:+z.4f}",
                    f"[{row['low']:+z.4f}, {row['high']:+z.4f}]",
                    f"{row['p_value']:.3f}",
                    row["better"],
                ]
            )
        who = " - ".join(pairs[0]) if len(pairs) == 1 else f"{len(pairs)} pairs of models"
        title = f"{who}, paired over users, 95 % intervals"
        return Table(title, ["", "difference", "interval", "p", "better"], rows)


def label(metric: str, decision: str, other: str | None = None) -> str:
    """Return how tables name a metric of a decision, or of two that are compared."""
    other = decision if other is None else other
    if decision == other:
        plain = decision == "mean" or metric in ("accuracy", "nll", "coverage90")
        return metric if plain else f"{metric} ({decision})"
    return f"{metric} ({decision} - {other})"


def difference(
    names: tuple[str, str], metric: Metric, a: Interval, b: Interval, differences: Floats
) -> dict[str, Any]:
    """Return the value of one model less that of another, with interval and p-value.

    Parameters
    ----------
    names
        Of both models.
    a, b
        What they come to.
    differences
        The same of every resample.
    """
    low, high = central(differences).tolist()
    return {
        "difference": a.value - b.value,
        "low": low,
        "high": high,
        "p_value": p_value(differences),
        "tasks": a.tasks,
        "better": better(*names, low, high, metric),
    }


def turned(row: dict[str, Any]) -> dict[str, Any]:
    """Return the difference `b` − `a` of the row of `a` − `b`."""
    return row | {
        "a": row["b"],
        "b": row["a"],
        "decision": row["decision_b"],
        "decision_b": row["decision"],
        "difference": -row["difference"],
        "low": -row["high"],
        "high": -row["low"],
    }


def better(a: str, b: str, low: float, high: float, metric: Metric) -> str:
    """Return the model that the whole interval favours, or nothing."""
    if not (low > 0 or high < 0) or not metric.ordered:
        return ""
    return a if (high < 0) == metric.loss else b


def with_holm(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the p-values as they are after Holm's step-down correction for the number of rows."""
    known = [index for index, row in enumerate(rows) if row["p_value"] == row["p_value"]]
    known.sort(key=lambda index: float(rows[index]["p_value"]))
    adjusted, highest = [float("nan")] * len(rows), 0.0
    for place, index in enumerate(known):
        highest = max(highest, (len(known) - place) * rows[index]["p_value"])
        adjusted[index] = min(1.0, highest)
    return [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]
