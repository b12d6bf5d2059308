"""A model adapted to one user."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.arrays import as_count
from metarec.display import html_table
from metarec.errors import InvalidValueError
from metarec.features import FeatureTable
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.learner import MetaLearner


@dataclass(frozen=True, eq=False)
class Recommendations:
    """Items and their predicted scores, best first; iterates over (item, score).

    Attributes
    ----------
    items : ids [k]
        As they are in your data.
    scores : float [k]
    """

    items: NDArray[Any]
    scores: NDArray[np.floating[Any]]

    def __iter__(self) -> Iterator[tuple[Any, float]]:
        return zip(self.items.tolist(), self.scores.tolist(), strict=True)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        rows = (f"  {place:>3}  {score:8.3f}  {item}" for place, (item, score) in enumerate(self, 1))
        return "Recommendations\n" + "\n".join(rows)

    def _repr_html_(self) -> str:
        rows = [(str(place), str(item), f"{score:.3f}") for place, (item, score) in enumerate(self, 1)]
        return html_table("Recommendations", ("", "item", "score"), rows)


class AdaptedUser:
    """A model adapted to one user by `MetaLearner.adapt`: predicts and recommends; the model is unchanged.

    Valid until the model trains on; then every call raises `StateError` and the user is adapted anew.
    """

    def __init__(
        self,
        native: _metarec.Adapted,
        model: "MetaLearner",
        support: NDArray[np.int32],
        user: FeatureTable | None,
    ) -> None:
        self._native, self._model = native, model
        self._support, self._user = support, user

    def predict(self, items: Iterable[Hashable]) -> NDArray[np.floating[Any]]:
        """Return the predicted ratings of `items`, ids as in your data; unknown ones by their lack of features."""
        return self._scores(self._model._item_codes(items))

    def recommend(
        self,
        k: int = 10,
        *,
        candidates: Iterable[Hashable] | None = None,
        exclude: Iterable[Hashable] | None = None,
    ) -> Recommendations:
        """Return the `k` best items, best first; equal scores in the order of the candidates.

        Parameters
        ----------
        k : int
        candidates : ids, optional
            What to choose from. None: all items of the data.
        exclude : ids, optional
            What not to recommend. None: the items that the user was adapted to.
        """
        k = as_count(k, "k", 1)
        model = self._model
        if candidates is None:
            codes = np.arange(model._items.rows, dtype=np.int32)
            names = codes if model._data is None else model._data.item_ids(codes)
        else:
            listed = list(candidates)
            codes = model._item_codes(listed)
            names = np.empty(len(listed), object)
            names[:] = listed
        if len(codes) == 0:
            raise InvalidValueError("candidates: expected at least one item, got none")
        if exclude is None:
            out = np.isin(codes, self._support[self._support >= 0])
        elif candidates is None:
            out = np.isin(codes, model._item_codes(exclude))
        else:
            unwanted = set(exclude)
            out = np.fromiter((name in unwanted for name in names), np.bool_, len(names))
        codes, names = codes[~out], names[~out]
        scores = self._scores(codes)
        order = np.argsort(-scores, kind="stable")[:k]
        return Recommendations(names[order], scores[order])

    def _scores(self, codes: NDArray[np.int32]) -> NDArray[np.floating[Any]]:
        tasks = TaskSet(
            np.array([0, len(codes)]),
            np.array([0]),
            np.ascontiguousarray(codes),
            np.zeros(len(codes), np.float32),
            None if self._user is None else np.zeros(1, np.int32),
            items=self._model._items,
            users=self._user,
        )
        return self._native.predict(tasks.native)

    def __repr__(self) -> str:
        return f"AdaptedUser({type(self._model).__name__}, {len(self._support)} ratings)"
