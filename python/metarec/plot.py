"""Pictures of reports. Needs matplotlib: `pip install metarec[plot]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    styles = ("--", "-.", ":", "-")
    for index, name in enumerate(report.floors):
        values = [
            report.interval(name, scenario, metric, support_size=size, **at).value for size in sizes
        ]
        style = styles[index % len(styles)]
        ax.plot(sizes, values, linestyle=style, color="0.4", linewidth=1, label=name)
    ax.set_xlabel("support ratings (0: before adaptation)")
    ax.set_ylabel(metric)
    ax.set_title(f"{scenario}: {metric} by support size")
    ax.set_xticks(sizes)
    ax.legend(frameon=False)
    return ax
