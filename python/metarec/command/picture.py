"""The first metric of a report by number of known ratings, a panel each scenario."""

from pathlib import Path

from metarec import plot
from metarec.errors import InvalidValueError, MissingDependencyError
from metarec.evaluation import Report


def require() -> None:
    """Raise if nothing can be drawn, before there is work to lose."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError(
            "--plot: needs matplotlib: pip install 'metarec[plot]'"
        ) from None


def draw(report: Report, path: Path) -> None:
    """Draw the metric that comes first in every scenario that has it by support size."""
    from matplotlib.figure import Figure

    frame = report.to_frame("dict")
    metric = str(frame["metric"][0])
    names = [name for name in report.scenarios if report.support_sizes(name, metric)]
    if not names:
        raise InvalidValueError("--plot: too few users have ratings enough for a curve")
    figure = Figure(figsize=(4 * len(names) + 1.5, 4.2), layout="constrained", dpi=150)
    panels = figure.subplots(1, len(names), squeeze=False)
    for name, ax in zip(names, panels[0], strict=True):
        plot.support_curve(report, metric, name, ax=ax)
        legend = ax.get_legend()
        if legend is not None:
            legend.remove()
    figure.legend(
        *panels[0][0].get_legend_handles_labels(), loc="outside right center", frameon=False
    )
    figure.savefig(path)
