"""A model adapted to one user."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count
from metarec.decisions import Decision, check_decision, decide
from metarec.display import html_table
from metarec.errors import InvalidTypeError, InvalidValueError, StateError
from metarec.scorer import Scorer
from metarec.user_support import UserSupport
from metarec.vocabulary import as_values

if TYPE_CHECKING:
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
        support: UserSupport,
    ) -> None:
        self._native, self._model, self._fitting = native, model, model._fitting
        self._rated, self._support = rated, support

    @property
    def items(self) -> NDArray[Any]:
        """What the user was adapted to: the items, as in your data."""
        return self._rated

    @property
    def ratings(self) -> NDArray[np.float64]:
        """Their ratings."""
        return self._support.ratings[: len(self._rated)]

    def prior(self) -> "AdaptedUser":
        """Return the same user with no rating known."""
        return self._current().adapt(user=self._support.user)

    def parameters(self) -> dict[str, NDArray[np.floating[Any]]]:
        """Return the parameters of the user's own model by name: adapted ones and shared ones.

        Copies of those that the inner loop changes, views of the model's own for the others.
        """
        model, support = self._current(), self._support
        native = getattr(model, "_native", None)
        if native is None:
            raise InvalidTypeError(f"a {type(model).__name__} has no parameters of a user's own")
        adapted = native.adapted_parameters(support.task(model._items).native)
        return {**native.parameters(), **{name: each[0] for name, each in adapted.items()}}

    def codes_of(self, items: Iterable[Hashable]) -> NDArray[np.int32]:
        """Return the items' rows in the model's table, −1 of unknown ones."""
        return self._current()._item_codes(items)

    def predict(
        self, items: Iterable[Hashable], decision: Decision = "mean"
    ) -> NDArray[np.floating[Any]]:
        """Return the predicted ratings of `items`, ids as in your data; unknown ones are allowed.

        Parameters
        ----------
        items : ids
            As in your data.
        decision : "mean", "median", "mode" or "distribution"
            As in `ColdStart.predict`; others than the mean are for models with a distribution.

        Notes
        -----
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
        check_decision(decision)
        model = self._current()
        codes = model._item_codes(items)
        if decision == "mean":
            return self._native.predict(model._items.native, codes)
        levels = model.__dict__.get("levels_")
        if levels is None:
            raise InvalidValueError(
                f"decision: expected mean, for {type(model).__name__} gives no distribution, "
                f"got {decision!r}"
            )
        distribution = self._native.predict(model._items.native, codes, "distribution")
        return decide(distribution.astype(np.float64), levels, decision)

    def recommend(
        self,
        k: int = 10,
        *,
        candidates: Iterable[Hashable] | None = None,
        exclude: Iterable[Hashable] | None = None,
        shortlist: int | None = None,
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
        shortlist : int, optional
            Of a model whose attention corrects its scores, correct only so many: the best without
            a correction, and at least `k`. Much faster where there are thousands of candidates,
            and with some hundred the best ten are nearly always the same. None: correct all.

        Raises
        ------
        InvalidValueError
            `k` or `shortlist` below 1, no candidates.
        NumericalError
            A score is not finite.
        StateError
            The model was trained since the user was adapted.
        """
        k = as_count(k, "k", 1)
        if shortlist is not None:
            shortlist = as_count(shortlist, "shortlist", 1)
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
            kept = ~_among(names, excluded)  # by id, for unknown items have no code of their own
        scores = self._scores(codes, kept, None if shortlist is None else max(shortlist, k))
        best = _best(scores, k, kept & ~np.isnan(scores))
        if names is not None:
            return Recommendations(names[best], scores[best])
        ids = best if model._data is None else model._data.item_ids(best)
        return Recommendations(ids, scores[best])

    def _scores(
        self, codes: NDArray[np.int32], kept: NDArray[np.bool_], shortlist: int | None
    ) -> NDArray[np.floating[Any]]:
        """Return the scores; NaN for what is not on the shortlist."""
        items = self._current()._items.native
        if shortlist is None or len(codes) <= shortlist or not self._native.columns("uncorrected"):
            return self._native.predict(items, codes)
        places = np.sort(_best(self._native.predict(items, codes, "uncorrected"), shortlist, kept))
        corrected = self._native.predict(items, codes[places])
        scores = np.full(len(codes), np.nan, corrected.dtype)
        scores[places] = corrected
        return scores

    def _current(self) -> "MetaLearner | DistributionEstimator":
        if self._model._fitting is not self._fitting:
            raise StateError("the model was fitted anew since this user was adapted: adapt again")
        return self._model

    def __repr__(self) -> str:
        return f"AdaptedUser({type(self._model).__name__}, {len(self._rated)} ratings)"


def _among(ids: NDArray[Any], some: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of the ids are among some."""
    if ids.dtype == some.dtype == np.int64:
        return np.isin(ids, some)
    known = set(some.tolist())
    return np.array([each in known for each in ids.tolist()], np.bool_)


def _best(scores: NDArray[np.floating[Any]], k: int, kept: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the places of the `k` highest kept scores, best first, equal ones in order."""
    ordered = np.where(kept, -scores, np.inf)
    if k < np.count_nonzero(kept):
        # Of those equal to the last, the first count: partitioning alone would take any.
        places = np.flatnonzero(ordered <= np.partition(ordered, k - 1)[k - 1])
    else:
        places = np.flatnonzero(kept)
    return places[np.argsort(ordered[places], kind="stable")[:k]]
