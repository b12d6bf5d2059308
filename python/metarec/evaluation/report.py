"""What `evaluate` gives: a table to look at, a frame to compute with, and paired comparisons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from metarec.errors import InvalidValueError
from metarec.evaluation.comparison import Comparison, better, label
from metarec.evaluation.frame import REAL, TEXT, WHOLE, to_frame
from metarec.evaluation.scores import Cell, Interval, Scores, central, intervals, resample
from metarec.evaluation.table import Table

#: The columns of the table, where they were measured; the rest is in the frame.
_HEADLINE = (
    ("mae", "mean"),
    ("mae", "rounded"),
    ("rmse", "mean"),
    ("accuracy", "rounded"),
    ("ndcg@3", "mean"),
    ("auc", "mean"),
    ("logloss", "mean"),
)
_SCHEMA = {
    **dict.fromkeys(("model", "scenario", "metric", "decision"), TEXT),
    **dict.fromkeys(("support_size", "draw"), WHOLE),
    **dict.fromkeys(("value", "low", "high"), REAL),
    "tasks": WHOLE,
}


@dataclass(frozen=True)
class Report:
    """Scenarios by metrics, models beside floors, with 95 % bootstrap intervals over users.

    Shown, it is a table for each scenario: the headline metrics after adaptation to the whole
    support, each model's paired difference from the `bias` floor, and the metric by support size,
    where 0 is before adaptation. Everything that was measured is in `to_frame`.
    """

    models: list[str]
    floors: list[str]
    resamples: int
    seed: int
    curve_support: int | None
    _scores: dict[Cell, Scores] = field(repr=False)
    _intervals: dict[Cell, list[Interval]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        groups: dict[tuple[str, int | None], list[Cell]] = {}
        for cell in self._scores:
            groups.setdefault((cell.scenario, cell.support_size), []).append(cell)
        for cells in groups.values():
            scores = [self._scores[cell] for cell in cells]
            measured = intervals(scores, self.resamples, self.seed)
            self._intervals.update(zip(cells, measured, strict=True))

    @property
    def scenarios(self) -> list[str]:
        """Scenarios with tasks, in the order of the splits."""
        return list(dict.fromkeys(cell.scenario for cell in self._scores))

    def interval(
        self,
        model: str,
        scenario: str,
        metric: str,
        *,
        decision: str | None = None,
        support_size: int | None = None,
    ) -> Interval:
        """Return one value with its interval, the mean over the draws.

        Parameters
        ----------
        model, scenario, metric
            As in the report.
        decision
            Where None: `"mean"` if it was measured, else `"rounded"`.
        support_size
            Where None: the whole support.

        Raises
        ------
        InvalidValueError
            It was not measured.

        Examples
        --------
        >>> report.interval("MeLU", "new_user", "mae").value  # doctest: +SKIP
        0.743
        """
        for choice in ("mean", "rounded") if decision is None else (decision,):
            key = Cell(model, scenario, metric, choice, support_size)
            if key in self._intervals:
                return self._intervals[key][-1]
        raise InvalidValueError(
            f"interval: got {(model, scenario, metric, decision, support_size)}; measured are the "
            f"models {[*self.models, *self.floors]}, the scenarios {self.scenarios}, the metrics "
            f"{list(dict.fromkeys(cell.metric for cell in self._scores))} and the support sizes "
            f"{list(dict.fromkeys(cell.support_size for cell in self._scores))}"
        )

    def support_sizes(self, scenario: str, metric: str) -> list[int]:
        """Return the support sizes at which a metric was measured, ascending."""
        sizes = {
            cell.support_size
            for cell in self._scores
            if (cell.scenario, cell.metric) == (scenario, metric)
        }
        return sorted(size for size in sizes if size is not None)

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for cell, measured in self._intervals.items():
            for draw, interval in enumerate(measured):
                last = draw == len(measured) - 1
                rows.append({**vars(cell), "draw": None if last else draw, **vars(interval)})
        return rows

    def to_frame(self, backend: str | None = None) -> Any:
        """Return everything as a frame, one row per value.

        Parameters
        ----------
        backend
            `"pandas"`, `"polars"`, `"pyarrow"`, or `"dict"` for a dict of lists. None takes the
            first of them that is installed.

        Returns
        -------
        frame
            Columns ``model, scenario, metric, decision, support_size, draw, value, low, high,
            tasks``. A null `support_size` is the whole support, a null `draw` the mean over the
            draws; `tasks` counts those not left out.
        """
        return to_frame(self._rows(), _SCHEMA, backend)

    def compare(
        self,
        a: str,
        b: str,
        *,
        metrics: Sequence[str] | None = None,
        scenarios: Sequence[str] | None = None,
        by_support_size: bool = False,
    ) -> Comparison:
        """Return the paired differences `a` − `b` with 95 % bootstrap intervals over users.

        Both models are resampled together, on the same draws, so what makes a user hard for both
        cancels: the interval is much narrower than those of the two values.

        Parameters
        ----------
        a, b
            Names of models or floors of the report.
        metrics, scenarios
            Only these; None: all.
        by_support_size
            Whether to compare along the curve over support size too.

        Examples
        --------
        >>> report.compare("MeLU", "bias", metrics=["mae"])  # doctest: +SKIP
        """
        known = [*self.models, *self.floors]
        for name, value in (("a", a), ("b", b)):
            if value not in known:
                raise InvalidValueError(f"{name}: got {value!r}, wanted one of {known}")
        rows = []
        for cell in self._scores:
            if (
                cell.model != a
                or (cell.support_size is not None and not by_support_size)
                or (metrics is not None and cell.metric not in metrics)
                or (scenarios is not None and cell.scenario not in scenarios)
            ):
                continue
            row = {name: value for name, value in vars(cell).items() if name != "model"}
            rows.append(row | self._difference(cell, b))
        return Comparison(a, b, rows)

    def _difference(self, cell: Cell, other: str) -> dict[str, Any]:
        """Return the value of `cell` less that of another model, with its interval."""
        mine, theirs = self._scores[cell], self._scores[replace(cell, model=other)]
        x, y = resample([mine, theirs], self.resamples, self.seed)
        low, high = central((x - y).mean(axis=0)).tolist()
        return {
            "difference": mine.value - theirs.value,
            "low": low,
            "high": high,
            "tasks": self._intervals[cell][-1].tasks,
            "better": better(cell.model, other, low, high, mine.metric),
        }

    def _tables(self) -> list[Table]:
        tables = []
        for scenario in self.scenarios:
            tables.append(self._whole(scenario))
            tables += self._paired(scenario)
            tables += self._curve(scenario)
        return tables

    def _columns(self, scenario: str) -> list[tuple[str, str]]:
        measured = {
            (cell.metric, cell.decision): None
            for cell in self._scores
            if cell.scenario == scenario and cell.support_size is None
        }
        chosen = [column for column in _HEADLINE if column in measured]
        return chosen or list(measured)[:7]

    def _whole(self, scenario: str) -> Table:
        columns = self._columns(scenario)
        rows = []
        for model in (*self.models, *self.floors):
            cells = [self.interval(model, scenario, m, decision=d) for m, d in columns]
            rows.append([model, *(f"{c.value:.3f} [{c.low:.3f}, {c.high:.3f}]" for c in cells)])
        scores = next(score for cell, score in self._scores.items() if cell.scenario == scenario)
        number, tasks = scores.numerators.shape
        draws = "1 draw" if number == 1 else f"mean of {number} draws"
        title = f"{scenario}: {tasks} tasks, whole support, {draws}, 95 % intervals over users"
        return Table(title, ["", *(label(*column) for column in columns)], rows)

    def _paired(self, scenario: str) -> list[Table]:
        if "bias" not in self.floors or not self.models:
            return []
        columns = self._columns(scenario)
        rows = []
        for model in self.models:
            found = [self._difference(Cell(model, scenario, *c, None), "bias") for c in columns]
            shown = (
                f"{d['difference']:+z.3f} [{d['low']:+z.3f}, {d['high']:+z.3f}]" for d in found
            )
            rows.append([model, *shown])
        title = f"{scenario}: paired difference from bias"
        return [Table(title, ["", *(label(*column) for column in columns)], rows)]

    def _curve(self, scenario: str) -> list[Table]:
        cells = [c for c in self._scores if c.scenario == scenario and c.support_size is not None]
        if not cells:
            return []
        metric, decision = next(
            (column for column in _HEADLINE if column in {(c.metric, c.decision) for c in cells}),
            (cells[0].metric, cells[0].decision),
        )
        sizes = self.support_sizes(scenario, metric)
        rows = []
        for model in (*self.models, *self.floors):
            values = (
                self.interval(model, scenario, metric, decision=decision, support_size=size).value
                for size in sizes
            )
            rows.append([model, *(f"{value:.3f}" for value in values)])
        tasks = self._scores[cells[0]].numerators.shape[1]
        title = (
            f"{scenario}: {label(metric, decision)} by support size, 0 = before adaptation "
            f"({tasks} tasks with at least {self.curve_support} support ratings)"
        )
        return [Table(title, ["", *(str(size) for size in sizes)], rows)]

    def __repr__(self) -> str:
        return "\n\n".join(table.text() for table in self._tables())

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self._tables())

    def to_markdown(self) -> str:
        """Return the tables of `repr` as Markdown."""
        return "\n\n".join(table.markdown() for table in self._tables()) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the report to a file: the tables to `.md`, every row to `.json` (NaN as null).

        Raises
        ------
        InvalidValueError
            Another suffix.
        """
        path = Path(path)
        if path.suffix == ".md":
            text = self.to_markdown()
        elif path.suffix == ".json":
            rows = [{k: None if v != v else v for k, v in row.items()} for row in self._rows()]
            text = json.dumps(rows, indent=1) + "\n"
        else:
            raise InvalidValueError(
                f"path: got {str(path)!r}, wanted a name ending in .md or .json"
            )
        path.write_text(text, encoding="utf-8")
