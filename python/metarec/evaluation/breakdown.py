"""A metric by groups of users or of items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from metarec.evaluation.comparison import label
from metarec.evaluation.frame import Rows
from metarec.evaluation.table import Table


@dataclass(frozen=True, repr=False)
class Breakdown(Rows):
    """A metric of every model by groups, with 95 % bootstrap intervals over users.

    By `activity` users are grouped by the number of their known ratings, by `popularity` the query
    rows by the number of training ratings of their item.
    """

    by: str
    scenario: str
    metric: str
    _schema: ClassVar[Mapping[str, Any]] = {
        **dict.fromkeys(("model", "scenario", "metric", "decision", "by", "group"), str),
        **dict.fromkeys(("value", "low", "high"), float),
        "tasks": int,
    }

    @property
    def groups(self) -> list[str]:
        """The groups in order."""
        return list(dict.fromkeys(row["group"] for row in self.rows))

    def _table(self) -> Table:
        models = dict.fromkeys((row["model"], row["decision"]) for row in self.rows)
        cells = {(row["model"], row["decision"], row["group"]): row for row in self.rows}
        rows = []
        for model, decision in models:
            found = (cells.get((model, decision, group)) for group in self.groups)
            shown = (
                "" if c is None else f"{c['value']:.3f} [{c['low']:.3f}, {c['high']:.3f}]"
                for c in found
            )
            what = label(self.metric, decision).removeprefix(self.metric)
            rows.append([model + what, *shown])
        names = {
            "activity": "ratings known of the user",
            "popularity": "training ratings of the item",
        }
        title = f"{self.scenario}: {self.metric} by {names[self.by]}"
        return Table(title, ["", *self.groups], rows)
