"""Pictures of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from metarec.errors import InvalidValueError
from metarec.evaluation.metrics import Metric
from metarec.plot.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from metarec.evaluation import Report


def support_curve(
    report: Report,
    metric: str = "mae",
    scenario: str = "new_user",
    *,
    decision: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a metric by support size: models as bands of 95 % intervals, floors as thin lines.

    Sizes are spaced by log(1 + size), for the first ratings say most. The picture holds the models,
    `bias`, and what the other floors reach at the largest size; far off before, these leave it.

    Parameters
    ----------
    report
        From `evaluate`, with support sizes.
    metric, scenario
        As in the report.
    decision
        Such as `"mean"`; None takes the best of each model.
    ax
        Where to draw; None makes a figure of its own.

    Returns
    -------
    ax
        The axes, for more of your own; ``ax.figure.savefig("curve.png")`` writes the picture.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.
    InvalidValueError
        The report has no support sizes for this scenario and metric.

    Examples
    --------
    >>> ax = mr.plot.support_curve(report, metric="ndcg@3")  # doctest: +SKIP
    """
    sizes = report.support_sizes(scenario, metric)
    if not sizes:
        raise InvalidValueError(
            f"report: has no {metric!r} by support size in {scenario!r}; "
            "wanted a report of evaluate with support_sizes"
        )
    ax = axes_or_new(ax)
    at: dict[str, Any] = {"decision": decision}
    edges: list[float] = []
    for name in report.models:
        cells = [report.interval(name, scenario, metric, support_size=size, **at) for size in sizes]
        (line,) = ax.plot(sizes, [cell.value for cell in cells], marker="o", label=name, zorder=3)
        ax.fill_between(
            sizes,
            [cell.low for cell in cells],
            [cell.high for cell in cells],
            color=line.get_color(),
            alpha=0.2,
            linewidth=0,
        )
        edges += [edge for cell in cells for edge in (cell.low, cell.high)]
    styles = ("--", "-.", ":", "-")
    for index, name in enumerate(report.floors):
        values = [
            report.interval(name, scenario, metric, support_size=size, **at).value for size in sizes
        ]
        # The floor that counts stands out, and stays in the picture.
        counts = name == "bias"
        edges += values if counts else values[-1:]
        ax.plot(
            sizes,
            values,
            linestyle=styles[index % len(styles)],
            color="black" if counts else "0.5",
            linewidth=1.5 if counts else 1,
            label=name,
        )
    margin = 0.08 * (max(edges) - min(edges)) or 0.01
    ax.set_ylim(min(edges) - margin, max(edges) + margin)
    ax.set_xscale("function", functions=(np.log1p, np.expm1))
    ax.set_xlim(sizes[0] - 0.1, 1.1 * sizes[-1] + 0.1)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set_xlabel("ratings of the user (0: before adaptation)")
    ax.set_ylabel(_told(metric))
    ax.set_title(scenario.replace("_", " "))
    ax.legend(frameon=False)
    return ax


def breakdown(
    report: Report,
    by: str = "activity",
    metric: str = "mae",
    scenario: str = "new_user",
    *,
    decision: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a metric by groups of users or items, with 95 % intervals.

    Parameters
    ----------
    report
        From `evaluate`.
    by
        `"activity"` of the users or `"popularity"` of the items, as in `Report.breakdown`.
    metric, scenario, decision
        As there.
    ax
        Where to draw; None makes a figure of its own.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.
    InvalidValueError
        It was not measured.

    Examples
    --------
    >>> ax = mr.plot.breakdown(report, by="popularity")  # doctest: +SKIP
    """
    found = report.breakdown(by, metric, scenario, decision=decision)
    ax = axes_or_new(ax)
    groups = found.groups
    models = list(dict.fromkeys(row["model"] for row in found.rows))
    width = 0.8 / len(models)
    for index, model in enumerate(models):
        rows = [row for row in found.rows if row["model"] == model]
        at = [groups.index(row["group"]) + (index + 0.5) * width - 0.4 for row in rows]
        values = np.array([row["value"] for row in rows])
        ends = np.array([[row["low"], row["high"]] for row in rows]).T
        color = "0.5" if model in report.floors else None
        # A bootstrap's interval may leave its value out.
        bars = np.maximum(np.abs(ends - values), 0)
        ax.errorbar(at, values, bars, fmt="osd^v"[index % 5], color=color, label=model)
    names = {"activity": "ratings known of the user", "popularity": "training ratings of the item"}
    ax.set_xticks(range(len(groups)), groups)
    ax.set_xlabel(names[by])
    ax.set_ylabel(_told(metric))
    ax.set_title(scenario.replace("_", " "))
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def calibration(
    report: Report,
    scenario: str = "new_user",
    *,
    models: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often what a model deems most probable happens, by the probability it gives it.

    On the diagonal it is as often as the model says; below, the model is too sure. Areas of the
    markers are shares of the rows.

    Parameters
    ----------
    report
        From `evaluate`, of models that give distributions.
    scenario
        As in the report.
    models
        Names of those wanted; None: all that give distributions.
    ax
        Where to draw; None makes a figure of its own.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.
    InvalidValueError
        No model gives distributions, or one that is named does not.

    Examples
    --------
    >>> ax = mr.plot.calibration(report)  # doctest: +SKIP
    """
    names = [name for name in report.models if (name, scenario) in report._calibrations]
    found = [report.calibration(name, scenario) for name in (names if models is None else models)]
    if not found:
        raise InvalidValueError(f"report: no model gives distributions in {scenario!r}")
    ax = axes_or_new(ax)
    ax.plot([0, 1], [0, 1], color="0.5", linewidth=1, linestyle="--")
    for each in found:
        said = [row["confidence"] for row in each.rows]
        happened = [row["frequency"] for row in each.rows]
        counts = np.array([row["rows"] for row in each.rows], float)
        (line,) = ax.plot(said, happened, label=f"{each.model}, ECE {each.ece:.3f}")
        ax.scatter(said, happened, 400 * counts / counts.sum() + 5, color=line.get_color())
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_aspect("equal")
    ax.set_xlabel("probability of the most probable level")
    ax.set_ylabel("how often it was the rating")
    ax.set_title(scenario.replace("_", " "))
    ax.legend(frameon=False)
    return ax


def _told(name: str) -> str:
    """Return a metric's name and which way is better."""
    metric = Metric(name)
    if not metric.ordered:
        return name
    return f"{name} ({'lower' if metric.loss else 'higher'} is better)"
