"""What of a report is shown, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from metarec.errors import InvalidValueError
from metarec.evaluation.breakdown import Breakdown
from metarec.evaluation.groups import GROUPS
from metarec.evaluation.scores import Cell, Interval
from metarec.evaluation.stability import Stability
from metarec.evaluation.table import Table

if TYPE_CHECKING:
    from metarec.evaluation.report import Report

#: The columns of the tables, where they were measured: the best decision of each model, or the
#: nearest star.
HEADLINE = (
    *(("mae", "best"), ("mae", "rounded"), ("rmse", "best"), ("accuracy", "best")),
    *(("ndcg@3", "best"), ("auc", "best"), ("logloss", "best")),
    *(("nll", "best"), ("coverage90", "best")),
    *(("ndcg@10", "best"), ("hr@10", "best"), ("recall@10", "best")),
    *(("coverage@10", "best"), ("novelty@10", "best"), ("popularity_bias@10", "best")),
)
Column = tuple[str, str]


def of(report: Report) -> Iterator[Table]:
    """Yield the tables of every scenario."""
    for scenario in report.scenarios:
        yield _whole(report, scenario)
        yield from _paired(report, scenario)
        yield from _curve(report, scenario)


def note(report: Report) -> str:
    """Return what a reader has to know besides."""
    unchecked = report.unchecked
    if not unchecked:
        return ""
    names = ", ".join(unchecked)
    return f"Not checked for leaks, as what they were trained on is not known: {names}."


def about(report: Report) -> Table:
    """Return what the numbers depend on."""
    rows = [[key, text] for key, text in _flat(report.info, "")]
    return Table("What the numbers depend on", ["", "value"], rows)


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        for index, each in enumerate(value):
            yield from _flat(each, f"{path}[{index}]" if len(value) > 1 else path)
    else:
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cell(
    report: Report, model: str, scenario: str, column: Column, size: int | None = None
) -> Cell | None:
    """Return what a model has in a column, if anything."""
    metric, choice = column
    found = report._decisions(model, scenario, metric, size)
    if not found:
        return None
    return next(iter(found.values())) if choice == "best" else found.get(choice)


def _columns(report: Report, scenario: str) -> list[Column]:
    measured: dict[Column, None] = {}
    for cell in report._measured:
        if cell.scenario == scenario and cell.support_size is None and cell.group is None:
            measured[cell.metric, "best"] = None
            if cell.decision == "rounded":
                measured[cell.metric, "rounded"] = None
    chosen = [column for column in HEADLINE if column in measured]
    # In the catalogue nDCG@10 is the headline; among query rows nDCG@3.
    if ("ndcg@3", "best") in chosen:
        chosen = [c for c in chosen if not c[0].endswith("@10")]
    return chosen or [column for column in measured if column[1] == "best"][:7]


def _heads(columns: Sequence[Column]) -> list[str]:
    return [
        "",
        *(metric if choice == "best" else f"{metric} ({choice})" for metric, choice in columns),
    ]


def _with_interval(found: Interval, sign: str = "") -> str:
    if np.isnan(found.value):
        return ""
    if np.isnan(found.low):
        return f"{found.value:{sign}.3f}"
    return f"{found.value:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


def _title(report: Report, model: str) -> str:
    return f"{model}*" if any(name == model for name, _ in report._calibrations) else model


def _whole(report: Report, scenario: str) -> Table:
    columns = _columns(report, scenario)
    rows = []
    for model in (*report.models, *report.floors):
        cells = (_cell(report, model, scenario, column) for column in columns)
        shown = ("" if c is None else _with_interval(report._measured[c].whole) for c in cells)
        rows.append([_title(report, model), *shown])
    first = next(
        found
        for cell, found in report._measured.items()
        if cell.scenario == scenario and cell.support_size is None and cell.group is None
    )
    draws = "1 draw" if len(first.draws) == 1 else f"mean of {len(first.draws)} draws"
    tasks = report.info["tasks"][scenario]
    title = f"{scenario}: {tasks} tasks, whole support, {draws}, 95 % intervals over users"
    if report._calibrations:
        title += "; * a distribution: mae of its median, ndcg of its expected gain"
    return Table(title, _heads(columns), rows)


def _paired(report: Report, scenario: str) -> Iterator[Table]:
    from metarec.evaluation.report import REFERENCES

    reference = next((name for name in REFERENCES if name in report.floors), None)
    if reference is None or not report.models:
        return
    columns = [
        column
        for column in _columns(report, scenario)
        if _cell(report, reference, scenario, column) is not None
    ]
    rows = []
    for model in report.models:
        found = {
            (row["metric"], row["decision"], row["decision_b"]): row
            for row in report._differences(model, reference, False)
            if row["scenario"] == scenario
        }
        shown = []
        for column in columns:
            mine = _cell(report, model, scenario, column) or _cell(
                report, model, scenario, (column[0], "best")
            )
            theirs = _cell(report, reference, scenario, column)
            row = mine and theirs and found.get((column[0], mine.decision, theirs.decision))
            shown.append(
                ""
                if not row
                else _with_interval(
                    Interval(row["difference"] + 0.0, row["low"], row["high"], 0), "+z"
                )
            )
        rows.append([_title(report, model), *shown])
    yield Table(f"{scenario}: paired difference from {reference}", _heads(columns), rows)


def _curve(report: Report, scenario: str) -> Iterator[Table]:
    cells = [c for c in report._measured if c.scenario == scenario and c.support_size is not None]
    if not cells:
        return
    names = {cell.metric for cell in cells}
    metric = next((name for name, _ in HEADLINE if name in names), cells[0].metric)
    if metric == "ndcg@10" and "ndcg@3" in names:
        metric = "ndcg@3"
    sizes = report.support_sizes(scenario, metric)
    rows = []
    for model in (*report.models, *report.floors):
        found = (_cell(report, model, scenario, (metric, "best"), size) for size in sizes)
        shown = ["" if c is None else f"{report._measured[c].whole.value:.3f}" for c in found]
        rows.append([_title(report, model), *shown])
    tasks = report.info["curve_tasks"][scenario]
    title = (
        f"{scenario}: {metric} by support size, 0 = before adaptation "
        f"({tasks} tasks with at least {report.curve_support} support ratings)"
    )
    yield Table(title, ["", *(str(size) for size in sizes)], rows)


def stability(
    report: Report, metrics: Sequence[str] | None, scenarios: Sequence[str] | None
) -> Stability:
    """Return the standard deviations over draws and over seeds of what was measured."""

    def spread(values: Sequence[Interval]) -> float:
        return float(np.std([v.value for v in values], ddof=1)) if len(values) > 1 else float("nan")

    names = [metrics] if isinstance(metrics, str) else metrics
    chosen = [scenarios] if isinstance(scenarios, str) else scenarios
    rows = [
        {
            **{name: getattr(cell, name) for name in ("model", "scenario", "metric", "decision")},
            "value": found.whole.value,
            "sd_draws": spread(found.draws),
            "sd_seeds": spread(found.seeds),
            "draws": len(found.draws),
            "seeds": len(found.seeds),
        }
        for cell, found in report._measured.items()
        if cell.support_size is None
        and cell.group is None
        and (names is None or cell.metric in names)
        and (chosen is None or cell.scenario in chosen)
    ]
    return Stability(rows)


def breakdown(
    report: Report, by: str, metric: str, scenario: str, decision: str | None
) -> Breakdown:
    """Return a metric by groups."""
    if by not in GROUPS:
        raise InvalidValueError(f"by: got {by!r}, wanted one of {GROUPS}")
    groups = list(
        dict.fromkeys(
            cell.group
            for cell in report._measured
            if (cell.by, cell.metric, cell.scenario) == (by, metric, scenario)
        )
    )
    rows = []
    for model in (*report.models, *report.floors):
        for group in groups:
            found = report._decisions(model, scenario, metric, None, group)
            cell = next(iter(found.values()), None) if decision is None else found.get(decision)
            if cell is not None:
                value = vars(report._measured[cell].whole)
                rows.append({k: v for k, v in vars(cell).items() if k != "support_size"} | value)
    if not rows:
        there = sorted({c.metric for c in report._measured if c.by == by})
        raise InvalidValueError(
            f"breakdown: {metric!r} was not measured by {by} in {scenario!r}; "
            f"measured are {there} in {report.scenarios}"
        )
    return Breakdown(rows, by, scenario, metric)
