"""What `evaluate` gives: a table to look at, a frame to compute with, and paired comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import combinations
from pathlib import Path
from typing import Any

from metarec.errors import InvalidValueError
from metarec.evaluation import tables
from metarec.evaluation.breakdown import Breakdown
from metarec.evaluation.calibration import Calibration
from metarec.evaluation.comparison import Comparison, difference, turned, with_holm
from metarec.evaluation.frame import to_frame
from metarec.evaluation.metrics import Floats, Metric, best_first
from metarec.evaluation.scores import Cell, Interval, Measured
from metarec.evaluation.stability import Stability

SCHEMA = {
    **dict.fromkeys(("model", "scenario", "metric", "decision"), str),
    "support_size": int,
    **dict.fromkeys(("by", "group"), str),
    **dict.fromkeys(("seed", "draw"), int),
    **dict.fromkeys(("value", "low", "high"), float),
    "tasks": int,
}
#: Floors that models are compared with in the tables, the first that is there.
REFERENCES = ("bias", "popularity")


@dataclass(frozen=True)
class Report:
    """Scenarios by metrics, models beside floors, with 95 % bootstrap intervals over users.

    Shown, it is a table for each scenario: the headline metrics after adaptation to the whole
    support, each model's paired difference from the floor `bias`, and the metric by support size,
    where 0 is before adaptation. Everything that was measured is in `to_frame`.

    Attributes
    ----------
    models, floors
        Names, in order.
    info
        What the numbers depend on: data and its hash, split, seeds, versions, options, and what
        each model is and was trained on.
    """

    models: list[str]
    floors: list[str]
    resamples: int
    seed: int
    curve_support: int | None
    info: dict[str, Any] = field(repr=False)
    _calibrations: dict[tuple[str, str], Calibration] = field(repr=False)
    _measured: dict[Cell, Measured] = field(repr=False)
    #: The same of every bootstrap resample, which is what models are compared by.
    _resampled: dict[Cell, Floats] = field(repr=False, default_factory=dict)
    #: Of a report from a file: the comparisons of all pairs.
    _compared: list[dict[str, Any]] = field(repr=False, default_factory=list)

    @property
    def scenarios(self) -> list[str]:
        """Scenarios with tasks, in the order of the splits."""
        return list(dict.fromkeys(cell.scenario for cell in self._measured))

    @property
    def unchecked(self) -> list[str]:
        """Models of which it is not known what they were trained on."""
        return [
            name
            for name, copies in self.info.get("models", {}).items()
            if not all(copy["checked_for_leaks"] for copy in copies)
        ]

    def interval(
        self,
        model: str,
        scenario: str,
        metric: str,
        *,
        decision: str | None = None,
        support_size: int | None = None,
        group: str | None = None,
    ) -> Interval:
        """Return one value with its interval, the mean over training seeds and draws.

        Parameters
        ----------
        model, scenario, metric
            As in the report.
        decision
            Where None: the best for the metric that was measured.
        support_size
            Where None: the whole support.
        group
            Of users or items, as in the frame; where None: all.

        Raises
        ------
        InvalidValueError
            It was not measured.

        Examples
        --------
        >>> report.interval("MeLU", "new_user", "mae").value  # doctest: +SKIP
        0.743
        """
        decisions = self._decisions(model, scenario, metric, support_size, group)
        for choice in decisions if decision is None else [decision]:
            if choice in decisions:
                return self._measured[decisions[choice]].whole
        raise InvalidValueError(
            f"interval: got {(model, scenario, metric, decision, support_size, group)}; measured "
            f"are the models {[*self.models, *self.floors]}, the scenarios {self.scenarios}, the "
            f"metrics {list(dict.fromkeys(cell.metric for cell in self._measured))} and the "
            f"support sizes {list(dict.fromkeys(cell.support_size for cell in self._measured))}"
        )

    def _decisions(
        self, model: str, scenario: str, metric: str, size: int | None, group: str | None = None
    ) -> dict[str, Cell]:
        """Return what was measured of a metric by decision, the best first."""
        key = (model, scenario, metric, size, group)
        found = self._index().get(key, {})
        return {decision: found[decision] for decision in best_first(found)}

    def _index(self) -> dict[tuple[Any, ...], dict[str, Cell]]:
        index: dict[tuple[Any, ...], dict[str, Cell]] | None = self.__dict__.get("_cells")
        if index is None:
            index = {}
            for c in self._measured:
                key = (c.model, c.scenario, c.metric, c.support_size, c.group)
                index.setdefault(key, {})[c.decision] = c
            self.__dict__["_cells"] = index
        return index

    def support_sizes(self, scenario: str, metric: str) -> list[int]:
        """Return the support sizes at which a metric was measured, ascending."""
        sizes = {
            cell.support_size
            for cell in self._measured
            if (cell.scenario, cell.metric) == (scenario, metric)
        }
        return sorted(size for size in sizes if size is not None)

    def _rows(self) -> Iterator[dict[str, Any]]:
        for cell, measured in self._measured.items():
            about = vars(cell) | {"seed": None, "draw": None}
            for draw, interval in enumerate(measured.draws):
                yield {**about, "draw": draw, **vars(interval)}
            for seed, interval in enumerate(measured.seeds if len(measured.seeds) > 1 else ()):
                yield {**about, "seed": seed, **vars(interval)}
            yield {**about, **vars(measured.whole)}

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
            Columns ``model, scenario, metric, decision, support_size, by, group, seed, draw, value,
            low, high, tasks``. Nulls mean all: the whole support, all groups, the mean over the
            training seeds and over the draws. `seed` numbers the copies of a model; `tasks` counts
            those not left out.
        """
        return to_frame(list(self._rows()), SCHEMA, backend)

    def compare(
        self,
        a: str | None = None,
        b: str | None = None,
        *,
        metrics: Sequence[str] | None = None,
        scenarios: Sequence[str] | None = None,
        by_support_size: bool = False,
    ) -> Comparison:
        """Return the paired differences `a` − `b`, with 95 % bootstrap intervals and p-values.

        Both models are resampled together, over users, on the same draws, so what makes a user hard
        for both cancels: the interval is much narrower than those of the two values.

        Parameters
        ----------
        a, b
            Names of models or floors of the report. Without `b`: `a` and each other one; without
            both: all pairs.
        metrics, scenarios
            Only these; None: all.
        by_support_size
            Whether to compare along the curve over support size too; not of a loaded report.

        Returns
        -------
        Comparison
            The best decision of each model for the metric is compared, then equal decisions, and a
            distribution's with the nearest star of a prediction: what rounding alone may explain.

        Examples
        --------
        >>> report.compare("MeLU", "bias", metrics=["mae"])  # doctest: +SKIP
        """
        known = [*self.models, *self.floors]
        for name, value in (("a", a), ("b", b)):
            if value is not None and value not in known:
                raise InvalidValueError(f"{name}: got {value!r}, wanted one of {known}")
        if a is None and b is not None:
            raise InvalidValueError("a: got None, wanted a name beside that of b")
        if by_support_size and not self._resampled:
            raise InvalidValueError("by_support_size: a file holds comparisons of whole supports")
        if a is None:
            pairs = list(combinations(known, 2))
        else:
            pairs = [(a, other) for other in ([b] if b is not None else known) if other != a or b]
        names = [metrics] if isinstance(metrics, str) else metrics
        chosen = [scenarios] if isinstance(scenarios, str) else scenarios
        rows = [
            row
            for pair in pairs
            for row in self._differences(*pair, by_support_size)
            if (names is None or row["metric"] in names)
            and (chosen is None or row["scenario"] in chosen)
        ]
        return Comparison(with_holm(rows))

    def _differences(self, a: str, b: str, by_support_size: bool) -> Iterator[dict[str, Any]]:
        if not self._resampled:
            for row in self._compared:
                if (row["a"], row["b"]) == (a, b):
                    yield row
                elif (row["b"], row["a"]) == (a, b):
                    yield turned(row)
            return
        done = set()
        for cell in self._resampled:
            key = (cell.scenario, cell.metric, cell.support_size)
            wanted = cell.model == a and (cell.support_size is None or by_support_size)
            if wanted and key not in done:
                done.add(key)
                mine, theirs = self._decisions(a, *key), self._decisions(b, *key)
                for x, y in _paired(list(mine), list(theirs)):
                    yield self._difference(mine[x], theirs[y])

    def _difference(self, a: Cell, b: Cell) -> dict[str, Any]:
        about = {name: value for name, value in vars(a).items() if name not in ("by", "group")}
        found = difference(
            (a.model, b.model),
            Metric(a.metric, a.decision),
            self._measured[a].whole,
            self._measured[b].whole,
            self._resampled[a] - self._resampled[b],
        )
        del about["model"]
        return {"a": a.model, "b": b.model} | about | {"decision_b": b.decision} | found

    def stability(
        self, *, metrics: Sequence[str] | None = None, scenarios: Sequence[str] | None = None
    ) -> Stability:
        """Return how much values move with the draw, and with the training seed.

        The second needs several trained copies of a model, as `evaluate` takes them.

        Examples
        --------
        >>> report.stability(metrics=["mae"])  # doctest: +SKIP
        """
        return tables.stability(self, metrics, scenarios)

    def breakdown(
        self,
        by: str,
        metric: str = "mae",
        scenario: str = "new_user",
        *,
        decision: str | None = None,
    ) -> Breakdown:
        """Return a metric by groups of users, `"activity"`, or of items, `"popularity"`.

        Parameters
        ----------
        by
            `"activity"`: the number of ratings known of a user, in training and support, in four
            groups of like size. `"popularity"`: the number of training ratings of the query's item:
            none (`new`), then a third of the training ratings each.
        metric, scenario
            As in the report; by popularity those that pool rows, such as `mae`.
        decision
            None: the best of each model.

        Raises
        ------
        InvalidValueError
            It was not measured.
        """
        return tables.breakdown(self, by, metric, scenario, decision)

    def calibration(self, model: str | None = None, scenario: str = "new_user") -> Calibration:
        """Return the reliability of a model's distributions.

        Parameters
        ----------
        model
            Its name; None: the only one that gives distributions.
        scenario
            As in the report.

        Raises
        ------
        InvalidValueError
            There is no such model.
        """
        names = list(dict.fromkeys(name for name, _ in self._calibrations))
        if model is None and len(names) == 1:
            model = names[0]
        if model is None or (model, scenario) not in self._calibrations:
            raise InvalidValueError(
                f"calibration: got {(model, scenario)}; distributions give {names}, "
                f"the scenarios {self.scenarios}"
            )
        return self._calibrations[model, scenario]

    def __repr__(self) -> str:
        text = "\n\n".join(table.text() for table in tables.of(self))
        note = tables.note(self)
        return f"{text}\n\n{note}" if note else text

    def _repr_html_(self) -> str:
        note = tables.note(self)
        shown = "".join(table.html() for table in tables.of(self))
        return shown + (f"<p>{escape(note)}</p>" if note else "")

    def to_markdown(self) -> str:
        """Return the tables of `repr` as Markdown, and what they depend on."""
        shown = [table.markdown() for table in (*tables.of(self), tables.about(self))]
        return "\n\n".join(shown) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the report to a file.

        Parameters
        ----------
        path
            Its ending says how: `.md` and `.html` the tables and what they depend on, `.json` all
            values, the paired differences of all pairs, and what they depend on, for `load`.

        Raises
        ------
        InvalidValueError
            Another ending.
        """
        from metarec.evaluation.files import save

        save(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> Report:
        """Return the report that `save` wrote to a `.json` file.

        Its comparisons are those of whole supports.

        Raises
        ------
        InvalidValueError
            Not a report of metarec, or damaged.
        """
        from metarec.evaluation.files import load

        return load(Path(path))


def _paired(mine: Sequence[str], theirs: Sequence[str]) -> list[tuple[str, str]]:
    """Return which decisions of two models to compare: the best, equal ones, and rounding."""
    if not mine or not theirs:
        return []
    pairs = {(mine[0], theirs[0]): None}
    pairs |= {(each, each): None for each in mine if each in theirs}
    for rounds, other in ((mine, theirs), (theirs, mine)):
        if "rounded" in rounds and "rounded" not in other:
            pair = ("rounded", other[0])
            pairs[pair if rounds is mine else pair[::-1]] = None
    return list(pairs)


def from_rows(
    rows: Sequence[Mapping[str, Any]],
) -> dict[Cell, Measured]:
    """Return what the rows of `Report.to_frame` say, by cell."""
    found: dict[Cell, Measured] = {}
    parts: dict[Cell, tuple[list[Interval], list[Interval]]] = {}
    names = tuple(Cell.__dataclass_fields__)
    for row in rows:
        cell = Cell(**{name: row[name] for name in names})
        interval = Interval(row["value"], row["low"], row["high"], row["tasks"])
        draws, seeds = parts.setdefault(cell, ([], []))
        if row["draw"] is not None:
            draws.append(interval)
        elif row["seed"] is not None:
            seeds.append(interval)
        else:
            found[cell] = Measured(interval, draws, seeds or [interval])
    return found
