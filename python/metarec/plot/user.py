"""Pictures of one user."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from metarec.arrays import as_count
from metarec.errors import InvalidTypeError
from metarec.plot.axes import axes_or_new
from metarec.vocabulary import as_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from metarec.adapted import AdaptedUser


def adaptation(
    user: AdaptedUser,
    items: Iterable[Hashable] | None = None,
    *,
    k: int = 10,
    titles: Mapping[Any, str] | Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one user's predictions before and after adaptation, an item a line.

    A hollow dot is what the model predicts with no rating known (all else that is known of the user
    included), a full one what it predicts after the user's ratings; a cross is a rating given.

    Parameters
    ----------
    user : AdaptedUser
        From `adapt`.
    items : ids, optional
        What to show. None: what the user rated, at most `k` of it, and the `k` best items after.
    k : int
    titles : mapping of id to str, or sequence by item code, optional
        Such as ``data.item_columns["title"]``. None: the ids.
    ax
        Where to draw; None makes a figure of its own.

    Returns
    -------
    ax
        The axes: the first item above, the best below the rated ones.

    Raises
    ------
    StateError
        The model was trained since the user was adapted.
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> ann = model.adapt(items=[6, 858], ratings=[5, 2])  # doctest: +SKIP
    >>> ax = mr.plot.adaptation(ann, titles=data.item_columns["title"])  # doctest: +SKIP
    """
    if not hasattr(user, "prior"):
        raise InvalidTypeError(f"user: expected AdaptedUser, got {type(user).__name__}")
    k = as_count(k, "k", 1)
    given = dict(zip(user.items.tolist(), user.ratings.tolist(), strict=True))
    if items is None:
        rated = list(given)[-k:]
        shown = [*rated, *user.recommend(k=k).items.tolist()]
    else:
        shown = as_values(items, "items").tolist()
    before, after = user.prior().predict(shown), user.predict(shown)
    ax = axes_or_new(ax, (7, 1 + 0.28 * len(shown)))
    places = np.arange(len(shown))
    ax.hlines(places, before, after, color="0.8", zorder=1)
    ax.scatter(before, places, facecolors="white", edgecolors="C0", label="before", zorder=2)
    ax.scatter(after, places, color="C0", label="after", zorder=3)
    known = [place for place, item in enumerate(shown) if item in given]
    if known:
        stars = [given[shown[place]] for place in known]
        ax.scatter(stars, known, marker="x", color="black", label="rating given", zorder=4)
    if items is None and given:
        ax.axhline(len(rated) - 0.5, color="0.5", linewidth=0.8, linestyle=":")
    ax.set_yticks(places, [_title(titles, item, user) for item in shown])
    ax.invert_yaxis()
    ax.set_xlabel("predicted rating")
    ratings = "1 rating" if len(user.ratings) == 1 else f"{len(user.ratings)} ratings"
    ax.set_title(f"before and after {ratings}")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _title(titles: Mapping[Any, str] | Sequence[str] | None, item: Any, user: AdaptedUser) -> str:
    if titles is None:
        return str(item)
    if isinstance(titles, Mapping):
        return str(titles.get(item, item))
    (code,) = user.codes_of([item])
    return str(titles[code]) if code >= 0 else str(item)
