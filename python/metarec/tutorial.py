"""The two functions of the field's tutorials, each the whole job in one call."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.arrays import offsets_of
from metarec.components import COMPONENTS
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import Dense, FeatureTable
from metarec.learner import MetaLearner
from metarec.tasks import TaskSet

Scores = NDArray[np.floating[Any]]
Labelled = tuple[ArrayLike, ArrayLike | None]


class MetaModel:
    """What `meta_learning` returns: ``model(features) -> scores [n]``, before any label of a user is known.

    Attributes
    ----------
    learner : MetaLearner
        The trained learner.
    """

    def __init__(self, learner: MetaLearner, mean: NDArray[Any], scale: NDArray[Any]) -> None:
        self.learner = learner
        self._mean, self._scale = mean, scale

    def __call__(self, features: ArrayLike) -> Scores:
        """Return one score for each of the feature rows [n, d]."""
        return self.adapt(np.empty((0, len(self._mean))), [])(features)

    def adapt(self, features: ArrayLike, labels: ArrayLike | None = None) -> "AdaptedModel":
        """Return the model adapted to one user's rows [n, d] and labels [n]; None: all positive feedback."""
        rows = self._rows(features, "features")
        given = np.ones(len(rows)) if labels is None else _labels(labels, len(rows), "labels")
        return AdaptedModel(self, rows, given)

    def _rows(self, features: ArrayLike, name: str) -> NDArray[np.float64]:
        rows = _matrix(features, name)
        if rows.shape[1] != len(self._mean):
            raise InvalidValueError(f"{name}: expected [n, {len(self._mean)}], got {list(rows.shape)}")
        return (rows - self._mean) / self._scale

    def __repr__(self) -> str:
        return f"MetaModel({len(self._mean)} features, {self.learner!r})"


class AdaptedModel:
    """A `MetaModel` adapted to one user: ``adapted(features) -> scores [n]``."""

    def __init__(self, model: MetaModel, rows: NDArray[Any], labels: NDArray[Any]) -> None:
        self._model, self._rows, self._labels = model, rows, labels

    def __call__(self, features: ArrayLike) -> Scores:
        """Return one score for each of the feature rows [n, d]."""
        query = self._model._rows(features, "features")
        rows = np.concatenate([self._rows, query])
        tasks = _task_set([rows], [np.concatenate([self._labels, np.zeros(len(query))])])
        tasks.support_counts[0] = len(self._rows)
        return self._model.learner.predict(
            TaskSet(tasks.offsets, tasks.support_counts, tasks.item_index, tasks.targets, items=tasks.items)
        )


def meta_learning(tasks: TaskSet | Iterable[Labelled], *, seed: int = 0) -> Any:
    """Train a meta-learner on tasks, with defaults that suit a first look.

    Parameters
    ----------
    tasks : TaskSet, or iterable of (features [n, d], labels [n])
        Ragged; each one task. Features are standardised inside. Labels that are all 0 or 1 are learned by the
        logistic loss, others by squared error. Where no task has labels (None), its rows are positive feedback
        and as many rows of other tasks, drawn by `seed`, are negative.
    seed : int

    Returns
    -------
    MetaModel
        Callable, ``model(features) -> scores [n]``, with ``model.adapt(features, labels)`` for one user. For a
        `TaskSet` the fitted `MetaLearner`, called as ``model(tasks)``.

    Examples
    --------
    Each user weighs two features in a way of their own:

    >>> random = np.random.default_rng(0)
    >>> def user():
    ...     features = random.normal(size=(20, 2))
    ...     return features, features @ random.normal(size=2)
    >>> model = meta_learning([user() for _ in range(50)])
    >>> model(np.zeros((3, 2))).shape
    (3,)
    """
    if isinstance(tasks, TaskSet):
        return _CallableLearner(seed=seed).fit(tasks)
    features, labels = _read(tasks, seed)
    if len(features) < 2:
        raise InvalidValueError(f"tasks: expected at least two to learn from, got {len(features)}")
    everything = np.concatenate(features)
    mean = everything.mean(0)
    scale = everything.std(0)
    scale[scale == 0] = 1
    targets = np.concatenate(labels)
    kind = "Logistic" if np.isin(targets, (0, 1)).all() else "SquaredError"
    learner = MetaLearner(
        algorithm=COMPONENTS["MAML"](inner_lr=0.05, inner_steps=5, adapt="decision"),
        loss=COMPONENTS[kind](),
        epochs=30,
        dtype="float64",
        seed=seed,
    )
    learner.fit(_task_set([(rows - mean) / scale for rows in features], labels), progress=False)
    return MetaModel(learner, mean, scale)


def meta_learning_recommendation(
    user_history: Labelled | Sequence[Labelled],
    candidate_content: ArrayLike,
    *,
    model: MetaModel | None = None,
) -> NDArray[np.intp]:
    """Rank candidates for a user of whom little is known.

    Parameters
    ----------
    user_history : (features [n, d], labels [n]), or a list of such
        With `model`, the one user's rows; labels None: all positive feedback. Without, a list of users' tasks:
        a model is meta-trained on all of them and the candidates are ranked for the last.
    candidate_content : [m, d]
    model : MetaModel, optional

    Returns
    -------
    int array [m]
        The candidates' row numbers, best first; equal scores in their order.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> users = [(random.normal(size=(12, 3)), random.normal(size=12)) for _ in range(10)]
    >>> sorted(meta_learning_recommendation(users, random.normal(size=(5, 3))).tolist())
    [0, 1, 2, 3, 4]
    """
    if model is None:
        if isinstance(user_history, tuple) or not user_history:
            raise InvalidTypeError(
                "user_history: without model, expected a list of (features, labels), one for each user"
            )
        model = meta_learning(user_history)
        user_history = user_history[-1]
    if not isinstance(user_history, tuple) or len(user_history) != 2:
        raise InvalidTypeError("user_history: with model, expected (features, labels) of one user")
    adapted = model.adapt(*user_history)
    return np.argsort(-adapted(candidate_content), kind="stable")


class _CallableLearner(MetaLearner):
    """A learner that predicts when called."""

    def __call__(self, tasks: TaskSet) -> Scores:
        return self.predict(tasks)


def _read(tasks: Iterable[Labelled], seed: int) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    features: list[NDArray[Any]] = []
    given: list[ArrayLike | None] = []
    for number, task in enumerate(tasks):
        if not isinstance(task, tuple) or len(task) != 2:
            raise InvalidTypeError(f"tasks[{number}]: expected (features, labels), got {type(task).__name__}")
        rows = _matrix(task[0], f"tasks[{number}] features")
        if features and rows.shape[1] != features[0].shape[1]:
            raise InvalidValueError(
                f"tasks[{number}] features: {rows.shape[1]} columns, tasks[0] has {features[0].shape[1]}"
            )
        features.append(rows)
        given.append(task[1])
    missing = [labels is None for labels in given]
    if any(missing) and not all(missing):
        raise InvalidValueError(f"tasks[{missing.index(True)}] labels: None, while other tasks have labels")
    if any(missing):
        return _with_negatives(features, seed)
    labels = [
        _labels(each, len(rows), f"tasks[{number}] labels")
        for number, (rows, each) in enumerate(zip(features, given, strict=True))
        if each is not None
    ]
    return features, labels


def _with_negatives(
    features: list[NDArray[Any]], seed: int
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Give every task as many rows of other tasks, labelled 0, as it has rows, labelled 1."""
    random = np.random.default_rng(seed)
    everything = np.concatenate(features)
    ends = offsets_of(np.array([len(rows) for rows in features]))
    rows_of, labels_of = [], []
    for task, rows in enumerate(features):
        others = len(everything) - len(rows)
        if others == 0:
            raise InvalidValueError("tasks: positive feedback alone of one task: there is nothing to tell it from")
        drawn = random.integers(0, others, len(rows))
        drawn[drawn >= ends[task]] += len(rows)
        order = random.permutation(2 * len(rows))
        rows_of.append(np.concatenate([rows, everything[drawn]])[order])
        labels_of.append(np.repeat([1.0, 0.0], len(rows))[order])
    return rows_of, labels_of


def _matrix(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        rows = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"{name}: expected numbers [n, d]: {error}") from None
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise InvalidValueError(f"{name}: expected [n, d], got shape {list(rows.shape)}")
    if not np.isfinite(rows).all():
        raise InvalidValueError(f"{name}: expected finite numbers, got NaN or infinity")
    return rows


def _labels(values: ArrayLike, count: int, name: str) -> NDArray[np.float64]:
    labels = np.asarray(values, np.float64)
    if labels.shape != (count,) or not np.isfinite(labels).all():
        raise InvalidValueError(f"{name}: expected {count} finite numbers, got shape {list(labels.shape)}")
    return labels


def _task_set(features: list[NDArray[Any]], labels: list[NDArray[Any]]) -> TaskSet:
    """Return tasks over a table that has every row's features; half of each task's rows are support."""
    counts = np.array([len(rows) for rows in features])
    rows = int(counts.sum())
    return TaskSet(
        offsets_of(counts),
        counts // 2,
        np.arange(rows, dtype=np.int32),
        np.ascontiguousarray(np.concatenate(labels)),
        items=FeatureTable({"features": Dense(np.concatenate(features))}),
    )
