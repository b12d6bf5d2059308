"""Pictures of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.plot.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def learning_curve(
    models: Any | Sequence[Any] | Mapping[str, Any],
    value: str | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw what models' `history_` says by epoch: the validation score or the training loss.

    A ring marks the epoch with the best validation score, whose parameters were kept.

    Parameters
    ----------
    models : model, sequence of models, or mapping of name to model
        Fitted ones. Without names: their classes' names.
    value : str, optional
        A key of the history's rows, such as ``"loss"``. None: ``"validation"`` where all have it,
        else ``"loss"``.
    ax
        Where to draw; None makes a figure of its own.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    InvalidValueError
        A model was not fitted, or its history has no such value.
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> ax = mr.plot.learning_curve(model)  # doctest: +SKIP
    >>> ax = mr.plot.learning_curve({"exact": one, "first order": two})  # doctest: +SKIP
    """
    histories = {name: _history(name, model) for name, model in _named(models).items()}
    if value is None:
        validated = all("validation" in history[0] for history in histories.values())
        value = "validation" if validated else "loss"
    for name, history in histories.items():
        if any(value not in row for row in history):
            raise InvalidValueError(
                f"value: no {value!r} in the history of {name}; there are {list(history[0])}"
            )
    ax = axes_or_new(ax)
    for name, history in histories.items():
        epochs = [row["epoch"] for row in history]
        (line,) = ax.plot(epochs, [row[value] for row in history], marker=".", label=name)
        scored = [row for row in history if math.isfinite(row.get("validation", math.nan))]
        if scored:
            best = min(scored, key=lambda row: row["validation"])
            ax.plot(
                best["epoch"],
                best[value],
                marker="o",
                markersize=11,
                markerfacecolor="none",
                color=line.get_color(),
                label=f"_best of {name}",
            )
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("epoch")
    ax.set_ylabel({"validation": "validation RMSE", "loss": "training loss"}.get(value, value))
    ax.legend(frameon=False)
    return ax


def _named(models: Any) -> dict[str, Any]:
    if isinstance(models, Mapping):
        named = dict(models)
    elif isinstance(models, Sequence):
        kinds = [type(model).__name__ for model in models]
        named = {
            kind if kinds.count(kind) == 1 else f"{kind} {kinds[: at + 1].count(kind)}": model
            for at, (kind, model) in enumerate(zip(kinds, models, strict=True))
        }
    else:
        named = {type(models).__name__: models}
    if not named:
        raise InvalidValueError("models: expected at least one, got none")
    return named


def _history(name: str, model: Any) -> list[Mapping[str, float]]:
    history = getattr(model, "history_", None)
    if history is None:
        raise InvalidTypeError(f"models: {name} has no history_; wanted a fitted model")
    if not history:
        raise InvalidValueError(f"models: the history of {name} has no epoch; call fit first")
    return list(history)
