"""Pictures of reports. Needs matplotlib: `pip install metarec[plot]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metarec.errors import InvalidValueError, MissingDependencyError

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
        `"mean"` or `"rounded"`; None takes the first that was measured.
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
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise MissingDependencyError(
                "plot needs matplotlib: pip install metarec[plot]"
            ) from error
        _, ax = plt.subplots(layout="constrained")
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
    lower = next(cell.metric for cell in report._scores.values() if cell.metric.name == metric).loss
    ax.set_xlabel("ratings of the user (0: before adaptation)")
    ax.set_ylabel(f"{metric} ({'lower' if lower else 'higher'} is better)")
    ax.set_title(scenario.replace("_", " "))
    ax.legend(frameon=False)
    return ax
