"""The preset for clicks: a Bayesian linear head on components of who clicked what, all solved."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.adapted import AdaptedUser
from metarec.algebra import principal_components
from metarec.arrays import as_count
from metarec.checkpoint import Checkpoint
from metarec.components import COMPONENTS, Component
from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import Bag, Categorical, Dense, FeatureTable, Field
from metarec.negatives import Negatives
from metarec.presets import _PARTS, Preset
from metarec.provenance import Provenance
from metarec.splits import Splits
from metarec.tasks import TaskSet
from metarec.training import Callback, Progress
from metarec.vocabulary import as_values

Matrix = NDArray[np.float64]


def is_clicks(data: Dataset) -> bool:
    """Return whether all ratings of `data` are the same: then they say no more than a click."""
    return len(data) > 0 and bool((data.rating == data.rating[0]).all())


class ImplicitColdStart(Preset):
    r"""The recommender of clicks for new users: one solve for the items, one for each user.

    An item i is the vector of the users who clicked it, over (clicks + `damping`)^`power`, and
    beside it that of its content, whose weight grows with its clicks; its features
    :math:`\varphi_i` are the `rank` principal components of both. Nothing is learned by gradients,
    and no negatives are drawn. A user is the linear head

    .. math:: G = \mathrm{diag}(1 + S g) + \sum_{i \in S} \varphi_i \varphi_i^\top, \quad
        w = G^{-1} \sum_{i \in S} \varphi_i (1 - p_i), \quad s_j = p_j + \varphi_j^\top w

    of their S known items, where :math:`p_i` is `popularity` times the share of the users who
    clicked i, the score of who is known by nothing. g is `growth` times the sum of
    :math:`\varphi^2` over the items: the more is known of a user, the more counts what they left.

    Every row of the data is a click, whatever its rating. Items have their id and content, or their
    id alone; new items have content alone. Users' features are not looked at. It is a
    `MetaLearner` with `BayesianLinear`: `partial_fit` trains it on by gradients.

    Parameters
    ----------
    rank : int
        Principal components.
    power, damping : float
        How much less a click on a popular item says, and what it says of a rare one.
    content : float
        Weight of the content; 0: ids alone.
    growth : float
        Weight of what a user left, for each item that they took.
    popularity : float
        Weight of the popularity.
    **options
        threads, dtype, seed as in `MetaLearner`.

    Notes
    -----
    The defaults were chosen on hetrec-lastfm, on users of its training part alone, among some 70
    variants by nDCG@10 of the whole catalogue. There it is at .119, .163, .179 and .199 for new
    users with 1, 3, 5 and 10 known artists, item neighbours at .103, .148, .164 and .171.

    References
    ----------
    Harrison, Sharma and Pavone, "Meta-Learning Priors for Efficient Online Bayesian Regression",
    WAFR 2018 (the head). Halko, Martinsson and Tropp, "Finding Structure with Randomness", SIAM
    Review 2011 (the components). Hu, Koren and Volinsky, "Collaborative Filtering for Implicit
    Feedback Datasets", ICDM 2008 (what users left as weak negatives).

    Examples
    --------
    >>> import metarec as mr
    >>> data = mr.datasets.synthetic(users=300, items=150, seed=0)
    >>> clicks = mr.Dataset.from_arrays(data.user, data.item, np.ones(len(data)))
    >>> model = mr.ImplicitColdStart().fit(clicks)
    >>> model.adapt(items=[3, 14]).recommend(k=3).items.shape
    (3,)
    """

    _fixed: ClassVar[tuple[str, ...]] = (
        *(*_PARTS, "schedule", "episodes", "negatives", "epochs", "patience"),
        *("batch_size", "clip_norm", "clip_value", "unknown_rate"),
    )
    negatives: Negatives | None = None
    batch_size: int = 32
    clip_norm: float | None = None
    clip_value: float | None = None
    unknown_rate: float = 0.0

    def __init__(
        self,
        *,
        rank: int = 64,
        power: float = 0.35,
        damping: float = 3.0,
        content: float = 1.0,
        growth: float = 0.002,
        popularity: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.rank, self.power, self.damping = rank, power, damping
        self.content, self.growth, self.popularity = content, growth, popularity

    def _components(self) -> dict[str, Component]:
        return {
            "backbone": COMPONENTS["ContentEncoder"](tokens=self._rank, features=self._rank),
            "algorithm": COMPONENTS["BayesianLinear"](precision=1.0, noise=1.0, growth=1.0),
            "loss": COMPONENTS["SquaredError"](),
            "optimizer": COMPONENTS["Adam"](),
            "schedule": COMPONENTS["Constant"](),
        }

    # Fitting

    def initialize(self, tasks: TaskSet | Dataset) -> Self:
        """Solve for the items of a `Dataset`, as `fit` does."""
        if not isinstance(tasks, Dataset):
            raise InvalidTypeError(f"tasks: expected Dataset, got {type(tasks).__name__}")
        return self.fit(tasks)

    def fit(
        self,
        data: Dataset | TaskSet,
        validation: Splits | TaskSet | None = None,
        *,
        progress: Progress = "auto",
        callbacks: Sequence[Callback] = (),
        checkpoint: Checkpoint | str | Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Solve for the items.

        Parameters
        ----------
        data : Dataset
        validation, progress, callbacks, checkpoint, resume
            Not looked at: there are no epochs.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            Not a data set, or one without rows; an option that cannot be used.
        """
        if not isinstance(data, Dataset):
            raise InvalidTypeError(f"data: expected Dataset, got {type(data).__name__}")
        if not len(data):
            raise InvalidValueError("data: has no clicks, wanted at least one")
        for name in ("power", "damping", "content", "growth", "popularity"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise InvalidValueError(f"{name}: got {value!r}, wanted a number of at least 0")
        as_count(self.rank, "rank", 1)
        clicks = _clicks(data)
        counts = np.bincount(clicks.item, minlength=data.item_count).astype(np.float64)
        features = clicks.scaled(1 / (counts + self.damping) ** self.power)
        if self.content:
            weight = np.sqrt(self.content * (counts + 1) / (counts + CONTENT_FROM))
            features = features.above(_content(data, features.rows).scaled(weight))
        embedding = _components(features, data.item_count, self.rank)
        self._rank = embedding.shape[1]
        ids = Categorical(np.arange(data.item_count, dtype=np.int32), data.item_count)
        own = data.with_features(FeatureTable({"item": ids}), None)
        self._begin(own.tasks(), own)
        self.trained_on_ = Provenance.of(data)
        table = self.parameters()["embedding.item"]
        table[:, :-1] = embedding
        table[:, -1] = self.popularity * counts / len(np.unique(data.user))
        parameters = self.parameters()
        parameters["head.weight"][...] = 0
        parameters["head.bias"][...] = 0
        growth = self.growth * np.square(embedding).sum(0)
        parameters["prior.log_growth"][:-1] = np.log(np.maximum(growth, 1e-12))
        # No offset of the user's own: it would explain targets that are all 1.
        parameters["prior.log_precision"][-1] = 8
        return self

    def _tasks(self, tasks: TaskSet) -> TaskSet:
        tasks = super()._tasks(tasks)
        if "_items" not in self.__dict__ or tasks.items is self._items:
            return tasks
        if tasks.items.rows != self._items.rows:
            raise InvalidValueError(
                f"tasks: of {tasks.items.rows} items, wanted the {self._items.rows} of training"
            )
        whole = tasks if tasks._whole is None else tasks._whole
        own = TaskSet(
            whole.offsets,
            whole.support_counts,
            whole.item_index,
            np.ones_like(whole.targets),
            items=self._items,
        )
        return own if tasks.task_ids is None else own.take(tasks.task_ids)

    # Predicting

    def adapt(
        self,
        items: Iterable[Hashable] = (),
        ratings: ArrayLike | None = None,
        user: Mapping[str, Any] | Hashable | FeatureTable = None,
    ) -> AdaptedUser:
        """Adapt to one user by the items that they clicked; the model is unchanged.

        Parameters
        ----------
        items : ids
            As in your data; unknown ones say nothing.
        ratings, user
            Not looked at: a row is a click.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            The items, or ratings that are not one for each of them.
        """
        given = as_values(items, "items")
        shape = given.shape if ratings is None else np.shape(ratings)
        return super().adapt(given, np.ones(shape), None)

    # Files

    def _learned(self) -> dict[str, Any]:
        return {"rank": self._rank}

    def _restore_learned(self, learned: Mapping[str, Any]) -> None:
        self._rank = learned["rank"]


#: Clicks from which on an item's content counts half.
CONTENT_FROM = 30


class _Sparse:
    """A sparse matrix of features by items: row, item and value of every entry.

    By NumPy alone, for two products with a dense matrix are all that is asked of it.
    """

    def __init__(
        self, rows: int, row: NDArray[Any], item: NDArray[Any], value: NDArray[np.float64]
    ) -> None:
        self.rows, self.row, self.item, self.value = rows, row, item, value

    def scaled(self, weights: Matrix) -> "_Sparse":
        """Return every item's column times its weight."""
        return _Sparse(self.rows, self.row, self.item, self.value * weights[self.item])

    def above(self, other: "_Sparse") -> "_Sparse":
        """Return this matrix with `other` under it."""
        return _Sparse(
            self.rows + other.rows,
            np.concatenate([self.row, self.rows + other.row]),
            np.concatenate([self.item, other.item]),
            np.concatenate([self.value, other.value]),
        )

    def times(self, vectors: Matrix) -> Matrix:
        """Return the product with ``[items, columns]``."""
        return self._product(self.row, self.item, self.rows, vectors)

    def transposed_times(self, vectors: Matrix, items: int) -> Matrix:
        """Return the product of the transpose with ``[rows, columns]``."""
        return self._product(self.item, self.row, items, vectors)

    def _product(self, to: NDArray[Any], of: NDArray[Any], length: int, vectors: Matrix) -> Matrix:
        columns = [np.bincount(to, self.value * x[of], length) for x in vectors.T]
        return np.stack(columns, axis=1) if columns else np.empty((length, 0))


def _clicks(data: Dataset) -> _Sparse:
    """Return who clicked what, once each; a row for each user who clicked."""
    users, user = np.unique(data.user, return_inverse=True)
    pairs = np.unique(user.astype(np.int64) * data.item_count + data.item)
    row, item = np.divmod(pairs, data.item_count)
    return _Sparse(len(users), row, item, np.ones(len(pairs)))


def _content(data: Dataset, rows: int) -> _Sparse:
    """Return the items' fields, each of length 1, rare values counting for more."""
    fields = [field for name, field in data.items.fields.items() if name != "item"]
    found = _Sparse(0, *(np.empty(0, np.int64),) * 2, np.empty(0))
    for field in fields:
        found = found.above(_of_field(field))
    return _Sparse(found.rows, found.row, found.item, found.value / np.sqrt(max(len(fields), 1)))


def _of_field(field: Field) -> _Sparse:
    if isinstance(field, Dense):
        vectors = field.vectors - field.vectors.mean(0, dtype=np.float64)
        item, row = np.divmod(np.arange(vectors.size), field.size)
        value = vectors.ravel()
    else:
        if isinstance(field, Bag):
            item = np.repeat(np.arange(field.rows), np.diff(field.offsets))
        else:
            item = np.arange(field.rows)
        known = field.ids >= 0
        row, item = field.ids[known].astype(np.int64), item[known]
        frequency = np.bincount(row, minlength=field.size)
        value = np.log(field.rows / (1 + frequency))[row].clip(0)
    length = np.sqrt(np.bincount(item, value**2, field.rows))
    return _Sparse(field.size, row, item, value / np.maximum(length, 1e-12)[item])


def _components(features: _Sparse, items: int, rank: int) -> Matrix:
    """Return the items' `rank` principal components."""
    return principal_components(
        lambda x: features.transposed_times(x, items), features.times, (items, features.rows), rank
    )
