"""A map of the items."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.arrays import as_count
from metarec.embedding import embedded
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.plot.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def item_map(
    model: Any,
    *,
    titles: Sequence[str] | None = None,
    label: int | Iterable[Hashable] = 12,
    color: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the items as a model sees them: the two leading principal components of their vectors.

    An item's vector is what enters the network of it: the embeddings of its fields, side by side.
    Items close together are much the same to the model.

    Parameters
    ----------
    model : fitted model, or array [items, d]
        A model with embeddings, such as `MeLU`; or any vectors, one a row.
    titles : sequence of str, optional
        By item code, such as ``data.item_columns["title"]``. None: ids.
    label : int or ids
        How many items are annotated, chosen far from one another; or which (of an array: which
        rows).
    color : numbers or values [items], optional
        Colors the dots: numbers by a scale, other values, such as genres, by a color each.
    ax
        Where to draw; None makes a figure of its own.

    Returns
    -------
    ax
        The axes; their labels say how much of the variance each component has.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        The model has no such vectors; `titles` or `color` has another number of items.
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> ax = mr.plot.item_map(model, titles=data.item_columns["title"])  # doctest: +SKIP
    """
    vectors, ids = _vectors(model)
    for name, given in (("titles", titles), ("color", color)):
        if given is not None and len(np.asarray(given)) != len(vectors):
            count = len(np.asarray(given))
            raise InvalidValueError(f"{name}: expected one for each of {len(vectors)} items, "
                                    f"got {count}")  # fmt: skip
    places, shares = principal_components(vectors)
    if isinstance(label, (int, np.integer)):
        # In shares of the picture; labels are wide, and so may be nearer from above than beside.
        size = np.maximum(np.ptp(places, axis=0), np.finfo(float).tiny)
        chosen = far_apart(places / size * [0.5, 1], as_count(label, "label"))
    else:
        chosen = _rows(label, model, len(vectors))
    ax = axes_or_new(ax, (7, 6))
    _scatter(ax, places, color)
    names: Any = ids if titles is None else titles
    middle = (places[:, 0].min() + places[:, 0].max()) / 2
    for row in chosen:
        left = places[row, 0] > middle  # of its dot, so that it stays in the picture
        ax.annotate(
            _short(str(names[row])),
            places[row],
            xytext=(-3 if left else 3, 3),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize="small",
        )
    ax.set_xlabel(f"first component, {100 * shares[0]:.0f} % of the variance")
    ax.set_ylabel(f"second component, {100 * shares[1]:.0f} %")
    ax.set_title("items")
    return ax


def principal_components(vectors: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return places in the plane of the two leading components, and these' shares of the variance.

    A component's sign is such that its largest weight is positive.
    """
    centred = np.asarray(vectors, np.float64) - np.mean(vectors, 0, dtype=np.float64)
    left, size, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(1)])
    places = np.zeros((len(centred), 2))
    kept = min(2, len(size))
    places[:, :kept] = (left * size * np.where(signs == 0, 1, signs))[:, :kept]
    shares = np.zeros(2)
    shares[:kept] = (size**2 / max((size**2).sum(), np.finfo(float).tiny))[:kept]
    return places, shares


def far_apart(places: NDArray[Any], count: int) -> list[int]:
    """Return rows that are far from one another: each next one is farthest from those before."""
    chosen: list[int] = []
    distance = -((places - places.mean(0)) ** 2).sum(1)  # the first is the nearest to the middle
    for _ in range(min(count, len(places))):
        row = int(distance.argmax())
        near = ((places - places[row]) ** 2).sum(1)
        distance = np.minimum(distance, near) if chosen else near
        chosen.append(row)
    return chosen


def _vectors(model: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    if hasattr(model, "parameters") and hasattr(model, "_items"):
        parameters = model.parameters()  # that it is fitted comes first
        items = model._items
        vectors = embedded(items, parameters)
        data = model._data
        ids = np.arange(items.rows)
        return vectors, ids if data is None else data.item_ids(ids)
    try:
        vectors = np.asarray(model, np.float64)
    except (TypeError, ValueError):
        raise InvalidTypeError(
            f"model: expected a model with embeddings or an array, got {type(model).__name__}"
        ) from None
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
        raise InvalidValueError(f"model: expected finite vectors [items, d], got {vectors.shape}")
    return vectors, np.arange(len(vectors))


def _rows(label: Iterable[Hashable], model: Any, count: int) -> list[int]:
    coded = getattr(model, "_item_codes", None)
    codes = np.asarray(list(label) if coded is None else coded(label), np.int64)
    if len(codes) and (codes.min() < 0 or codes.max() >= count):
        raise InvalidValueError("label: expected items that the model knows")
    return [int(code) for code in codes]


def _scatter(ax: Axes, places: NDArray[Any], color: ArrayLike | None) -> None:
    x, y = places.T
    if color is None:
        ax.scatter(x, y, s=12, alpha=0.6, linewidth=0)
        return
    values = np.asarray(color)
    if values.dtype.kind in "iuf":
        drawn = ax.scatter(x, y, s=12, c=values, alpha=0.8, linewidth=0)
        ax.figure.colorbar(drawn, ax=ax)
        return
    texts = np.array([str(value) for value in values.tolist()])
    kinds, counts = np.unique(texts, return_counts=True)
    frequent = kinds[np.argsort(-counts, kind="stable")][:10]
    for kind in frequent:
        own = texts == kind
        ax.scatter(x[own], y[own], s=12, alpha=0.8, linewidth=0, label=kind)
    rest = ~np.isin(texts, frequent)
    if rest.any():
        ax.scatter(x[rest], y[rest], s=12, color="0.8", linewidth=0, label="others", zorder=0)
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:30].rstrip()} …"
