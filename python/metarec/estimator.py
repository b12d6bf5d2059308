"""What every model shares that is fitted to a data set and predicts tasks."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.adapted import AdaptedUser
from metarec.arrays import as_path, ragged_range, under
from metarec.dataset import Dataset
from metarec.decisions import Decision, Floats, check_decision, decide, levels_of
from metarec.errors import InvalidTypeError, InvalidValueError, NotFittedError
from metarec.parameters import Parametrised
from metarec.provenance import Provenance
from metarec.scorer import TaskScorer
from metarec.splits import Splits
from metarec.tasks import TaskSet
from metarec.user_support import UserSupport
from metarec.vocabulary import as_values

#: What a model has learned: in JSON's types, and arrays.
State = tuple[dict[str, Any], dict[str, NDArray[Any]]]


class Estimator(Parametrised, ABC):
    """A model of one item table: `fit` learns from ratings, `predict` answers query rows.

    Attributes
    ----------
    mean_ : float
        Mean of the training ratings, μ.
    trained_on_ : Provenance
        Which ratings it has seen: `evaluate` refuses a test that they leak into.
    """

    mean_: float
    trained_on_: Provenance | None

    def __init__(self) -> None:
        """Without options."""

    def fit(self, dataset: Dataset, validation: Splits | None = None) -> Self:
        """Learn from the training part.

        Parameters
        ----------
        dataset : Dataset
            Such as ``splits.train``.
        validation : Splits, optional
            For models that choose something by it; the others do not look at it.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            Not a data set, or one without ratings; an option that cannot be used.
        """
        if not isinstance(dataset, Dataset):
            raise InvalidTypeError(f"dataset: expected Dataset, got {type(dataset).__name__}")
        if validation is not None and not isinstance(validation, Splits):
            raise InvalidTypeError(
                f"validation: expected splits.validation, got {type(validation).__name__}"
            )
        if not len(dataset):
            raise InvalidValueError("dataset: has no ratings, wanted at least one")
        self.__dict__.pop("mean_", None)
        self._fit(dataset, validation)
        self._item_rows = dataset.items.rows
        self.mean_ = float(dataset.rating.mean(dtype=np.float64))
        self.trained_on_ = Provenance.of(dataset)
        return self

    def predict(self, tasks: TaskSet) -> Floats:
        """Predict the query rows in order, ``[query rows]``, each from its task's support.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidTypeError, InvalidValueError
            Not tasks, or of another item table than that of training.
        """
        return self._predict(self._checked(tasks))

    @abstractmethod
    def _fit(self, dataset: Dataset, validation: Splits | None) -> None: ...

    @abstractmethod
    def _predict(self, tasks: TaskSet) -> Floats: ...

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` has ended well."""
        return hasattr(self, "mean_")

    def _checked(self, tasks: TaskSet) -> TaskSet:
        if not isinstance(tasks, TaskSet):
            raise InvalidTypeError(f"tasks: expected TaskSet, got {type(tasks).__name__}")
        if not self.is_fitted:
            raise NotFittedError(f"{self!r}: call fit(splits.train) first")
        if tasks.items.rows != self._item_rows:
            raise InvalidValueError(
                f"tasks: of {tasks.items.rows} items, wanted the {self._item_rows} of training"
            )
        return tasks


class DistributionEstimator(Estimator):
    """An estimator that gives a distribution over the levels of the rating scale.

    Attributes
    ----------
    levels_ : float64 [levels] or None
        The levels, ascending; None where ratings are continuous: then there is only the mean.
    """

    levels_: Floats | None

    def fit(self, dataset: Dataset, validation: Splits | None = None) -> Self:
        """Learn from the training part, as `Estimator.fit`."""
        super().fit(dataset, validation)
        self.levels_ = self._levels_of(dataset)
        self._data, self._items, self._fitting = dataset, dataset.items, object()
        return self

    def adapt(
        self,
        items: Iterable[Hashable] = (),
        ratings: ArrayLike = (),
        user: Mapping[str, Any] | Hashable = None,
    ) -> AdaptedUser:
        """Adapt to one user, in closed form; the model is unchanged.

        Parameters
        ----------
        items, ratings : ids, and a number for each
            What the user rated, as in your data. None at all: the prior.
        user : mapping, id or None
            Raw feature values, such as ``{"age": 25}``, or the id of a user of the data.

        Raises
        ------
        NotFittedError, InvalidTypeError, InvalidValueError
            Before `fit`; an argument cannot be used.
        """
        if not self.is_fitted:
            raise NotFittedError(f"{self!r}: call fit(splits.train) first")
        if self._items is not self._data.items:
            raise InvalidValueError("items: a model with other items predicts tasks alone")
        given = as_values(items, "items")
        features = self._data.user_features(user)
        codes = self._item_codes(given)
        scorer = TaskScorer(self, codes, ratings, features)
        support = UserSupport(codes, np.array(ratings, np.float64), features, user)
        return AdaptedUser(scorer, self, given, support)

    def _item_codes(self, items: Iterable[Hashable]) -> NDArray[np.int32]:
        return self._data.item_codes(items)

    # Files

    def save(self, path: str | Path) -> None:
        """Write the model to one file that `mr.load` reads, as `MetaLearner.save`."""
        from metarec.files import save

        save(self, as_path(path, "path"))

    def __getstate__(self) -> dict[str, Any]:
        """Return options and what was learned: so models can be pickled and copied."""
        learned = self._state() if self.is_fitted else None
        return {"params": self.get_params(deep=False), "learned": learned}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the model of what `__getstate__` gave."""
        self.__init__(**state["params"])  # type: ignore[misc]
        if state["learned"] is not None:
            self._restore(*state["learned"])

    def _state(self) -> State:
        """Return what was learned, as JSON and arrays, for `_restore`."""
        more, data = self._data.schema_state()
        arrays = {f"data/{name}": value for name, value in more.items()}
        about: dict[str, Any] = {"mean": self.mean_, "data": data}
        about["levels"] = None if self.levels_ is None else self.levels_.tolist()
        if self.trained_on_ is not None:
            arrays["trained_on"], about["trained_on"] = self.trained_on_.state()
        about["learned"], learned = self._learned()
        return about, arrays | {f"learned/{name}": value for name, value in learned.items()}

    def _restore(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `_state` returned."""
        self._data = Dataset.from_state(under("data/", arrays), about["data"])
        self._items, self._fitting = self._data.items, object()
        self._item_rows = self._items.rows
        self.levels_ = None if about["levels"] is None else np.array(about["levels"])
        self.trained_on_ = None
        if "trained_on" in about:
            self.trained_on_ = Provenance.from_state(arrays["trained_on"], about["trained_on"])
        self._take_learned(about["learned"], under("learned/", arrays))
        self.mean_ = about["mean"]

    @abstractmethod
    def _learned(self) -> State: ...

    @abstractmethod
    def _take_learned(
        self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> None: ...

    def _levels_of(self, dataset: Dataset) -> Floats | None:
        return levels_of(dataset)

    def predict(self, tasks: TaskSet, decision: Decision = "mean") -> Floats:
        """Predict the query rows in order.

        Parameters
        ----------
        tasks : TaskSet
        decision : "mean", "median", "mode" or "distribution"
            What to read off the distribution: best for the squared error, for the absolute error,
            for exact hits; or all of it, ``[query rows, levels]``.

        Raises
        ------
        NotFittedError, InvalidTypeError, InvalidValueError
            As in `Estimator.predict`; or a decision other than the mean of continuous ratings.
        """
        self._checked(tasks)
        check_decision(decision)
        if self.levels_ is None:
            if decision != "mean":
                raise InvalidValueError(f"decision: {decision!r} of ratings that have no levels")
            return self._predict(tasks)
        return decide(self._distribution(tasks, self.levels_), self.levels_, decision)

    @abstractmethod
    def _distribution(self, tasks: TaskSet, levels: Floats) -> Floats: ...


class Support:
    """The supports of tasks as flat arrays, and the items of their query rows."""

    def __init__(self, tasks: TaskSet) -> None:
        rows, offsets = tasks.support()
        self.counts, self.starts = np.diff(offsets), offsets[:-1]
        self.items = tasks.item_index[rows]
        self.ratings = tasks.targets[rows].astype(np.float64)
        self.task = np.repeat(np.arange(len(self.counts)), self.counts)
        rows, offsets = tasks.query()
        self.query_items = tasks.item_index[rows]
        self.query_counts = np.diff(offsets)
        self.query_task = np.repeat(np.arange(len(self.counts)), self.query_counts)

    def sums(self, values: Floats) -> Floats:
        """Sum one value a support row over each task."""
        return np.bincount(self.task, values, len(self.counts)).astype(np.float64, copy=False)

    def query_rows(self, values: Floats) -> Floats:
        """Give each query row its task's value."""
        return values[self.query_task]

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return every query row with every row of its task's support, as two arrays of rows."""
        counts = self.counts[self.query_task]
        query = np.repeat(np.arange(len(self.query_items)), counts)
        return query, ragged_range(self.starts[self.query_task], counts)


def of_items(values: NDArray[np.floating], items: NDArray[np.int32]) -> Floats:
    """Return one value an item, 0 for unknown items (−1)."""
    return np.where(items >= 0, values[items], 0.0)
