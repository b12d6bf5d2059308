"""A model adapted to one user."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.arrays import as_count
from metarec.display import html_table
from metarec.errors import InvalidTypeError, InvalidValueError, StateError
from metarec.features import FeatureTable
from metarec.tasks import TaskSet
from metarec.vocabulary import as_values

if TYPE_CHECKING:
    from metarec.cold_start import ColdStart
    from metarec.estimator import DistributionEstimator
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
        ranked = enumerate(self, 1)
        rows = (f"  {place:>3}  {score:8.3f}  {item}" for place, (item, score) in ranked)
        return "\n".join(["Recommendations", *rows])

    def _repr_html_(self) -> str:
        rows = [(place, item, f"{score:.3f}") for place, (item, score) in enumerate(self, 1)]
        return html_table("Recommendations", ("", "item", "score"), rows)


class Scorer(Protocol):
    """What scores items for one user."""

    def predict(
        self, catalogue: _metarec.Features, items: NDArray[np.int32]
    ) -> NDArray[np.floating[Any]]:
        """Return a score for each item."""


class TaskScorer:
    """Scores items for one user as the query of a task, by the model's `predict`."""

    def __init__(
        self,
        model: "ColdStart | DistributionEstimator",
        items: NDArray[np.int32],
        ratings: ArrayLike,
        user: FeatureTable | None,
    ) -> None:
        self._model, self._items, self._user = model, items, user
        try:
            self._ratings = np.array(ratings, np.float32)
        except (TypeError, ValueError) as error:
            raise InvalidTypeError(f"ratings: expected numbers; {error}") from None
        if self._ratings.shape != items.shape:
            raise InvalidValueError(
                f"ratings: expected one for each of {len(items)} items, got shape "
                f"{self._ratings.shape}"
            )
        self.tasks(items[:0])  # Checks the ratings.

    def tasks(self, items: NDArray[np.int32]) -> TaskSet:
        """Return a task of the user's ratings that asks for items."""
        support = len(self._items)
        return TaskSet(
            np.array([0, support + len(items)]),
            np.array([support]),
            np.concatenate([self._items, items]),
            np.concatenate([self._ratings, np.zeros(len(items), np.float32)]),
            None if self._user is None else np.zeros(1, np.int32),
            items=self._model._items,
            users=self._user,
        )

    def predict(
        self, catalogue: _metarec.Features, items: NDArray[np.int32]
    ) -> NDArray[np.floating[Any]]:
        """Return the expected rating of each item."""
        return self._model.predict(self.tasks(items))


class AdaptedUser:
    """A model adapted to one user by `MetaLearner.adapt`: predicts and recommends.

    The model is unchanged. Valid until the model trains on: then `predict` and `recommend` raise
    `StateError`, and the user is adapted anew. After writing into `MetaLearner.parameters` adapt
    anew as well: a part of them was read while adapting.

    Examples
    --------
    >>> import metarec as mr
    >>> data = mr.datasets.synthetic(users=200, items=100, seed=0)
    >>> model = mr.MeLU(epochs=1, seed=0).fit(data)
    >>> ann = model.adapt(items=[3, 14], ratings=[5, 2], user={"age": 1})
    >>> ann.predict([3, 14, 15]).shape
    (3,)
    >>> bool(set(ann.recommend(k=98).items) & {3, 14})
    False
    """

    def __init__(
        self,
        native: Scorer,
        model: "MetaLearner | DistributionEstimator",
        rated: NDArray[Any],
    ) -> None:
        self._native, self._model, self._fitting = native, model, model._fitting
        self._rated = rated

    def predict(self, items: Iterable[Hashable]) -> NDArray[np.floating[Any]]:
        """Return the predicted ratings of `items`, ids as in your data; unknown ones are allowed.

        An unknown item is predicted as one of which nothing is known. An item has the same score
        whatever the others are. What depends on items alone is kept from user to user; it is not
        while somebody holds views of the model's `parameters`, which makes the calls slower.

        Raises
        ------
        NumericalError
            A score is not finite.
        StateError
            The model was trained since the user was adapted.
        """
        model = self._current()
        return self._native.predict(model._items.native, model._item_codes(items))

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
            At most so many; fewer where there are fewer candidates.
        candidates : ids, optional
            What to choose from. None: all items of the data.
        exclude : ids, optional
            What not to recommend. None: the items that the user was adapted to.

        Raises
        ------
        InvalidValueError
            `k` below 1, no candidates.
        NumericalError
            A score is not finite.
        StateError
            The model was trained since the user was adapted.
        """
        k = as_count(k, "k", 1)
        model = self._current()
        excluded = self._rated if exclude is None else as_values(exclude, "exclude")
        unwanted = model._item_codes(excluded)
        if candidates is None:
            names = None
            codes = np.arange(model._items.rows, dtype=np.int32)
            kept = np.ones(len(codes), np.bool_)
            kept[unwanted[unwanted >= 0]] = False
        else:
            names = as_values(candidates, "candidates")
            codes = model._item_codes(names)
            if len(codes) == 0:
                raise InvalidValueError("candidates: expected at least one item, got none")
            # By id, for unknown items have no code of their own.
            out = set(excluded.tolist())
            kept = np.array([name not in out for name in names.tolist()], np.bool_)
        scores = self._native.predict(model._items.native, codes)
        best = _best(scores, k, kept)
        if names is not None:
            return Recommendations(names[best], scores[best])
        ids = best if model._data is None else model._data.item_ids(best)
        return Recommendations(ids, scores[best])

    def _current(self) -> "MetaLearner | DistributionEstimator":
        if self._model._fitting is not self._fitting:
            raise StateError("the model was fitted anew since this user was adapted: adapt again")
        return self._model

    def __repr__(self) -> str:
        return f"AdaptedUser({type(self._model).__name__}, {len(self._rated)} ratings)"


def _best(scores: NDArray[np.floating[Any]], k: int, kept: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the places of the `k` highest kept scores, best first, equal ones in order."""
    ordered = np.where(kept, -scores, np.inf)
    if k < np.count_nonzero(kept):
        # Of those equal to the last, the first count: partitioning alone would take any.
        places = np.flatnonzero(ordered <= np.partition(ordered, k - 1)[k - 1])
    else:
        places = np.flatnonzero(kept)
    return places[np.argsort(ordered[places], kind="stable")[:k]]
