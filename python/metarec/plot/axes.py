"""Where to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metarec.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_or_new(ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """Return `ax`, or the axes of a new figure, `size` inches large."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError("plot needs matplotlib: pip install metarec[plot]") from error
    return plt.subplots(figsize=size, layout="constrained")[1]
