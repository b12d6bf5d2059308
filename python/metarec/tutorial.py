"""The two functions of the field's tutorials, each the whole job in one call."""

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
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
Features = ArrayLike | FeatureTable
Task = tuple[Any, ArrayLike | None] | NDArray[Any]


@dataclass(frozen=True)
class Standard:
    """A shift and a scale that bring numbers to mean 0 and variance 1."""

    mean: Any = 0.0
    scale: Any = 1.0

    @classmethod
    def fit(cls, values: NDArray[Any]) -> "Standard":
        """Return that of the columns of `values`; those of one value alone keep their scale."""
        scale = values.std(0)
        return cls(values.mean(0), np.where(scale > 0, scale, 1.0))

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return standardised values."""
        return np.ascontiguousarray((values - self.mean) / self.scale)

    def back(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what was standardised."""
        return np.asarray(values * self.scale + self.mean)


class MetaModel:
    """What `meta_learning` returns: ``model(features) -> scores [n]``, of a user not yet known.

    Features are those of rows [n, d]; of a model made from a `TaskSet` whose items have not just
    one dense field, a `FeatureTable`.

    Attributes
    ----------
    learner : MetaLearner
        The trained learner.
    """

    def __init__(
        self,
        learner: MetaLearner,
        positive: float,
        features: "Standard | None" = None,
        labels: "Standard | None" = None,
    ) -> None:
        self.learner = learner
        self._positive = positive
        self._features, self._labels = features or Standard(), labels or Standard()

    def __call__(self, features: Features) -> Scores:
        """Return one score for each of the feature rows, before any label is known."""
        return AdaptedModel(self, self.learner._items.take([]), np.empty(0))(features)

    def adapt(self, features: Features, labels: ArrayLike | None = None) -> "AdaptedModel":
        """Return the model adapted to one user's feature rows and labels [n].

        None: all are positive feedback, as good as the highest label of training.
        """
        table = self._table(features)
        if labels is None:
            labels = np.full(table.rows, self._positive)
        return AdaptedModel(self, table, _labels(labels, table.rows, "labels"))

    def _table(self, features: Features) -> FeatureTable:
        if isinstance(features, FeatureTable):
            return features
        fields = self.learner._items.fields
        (name, field), *others = fields.items()
        if others or not isinstance(field, Dense):
            raise InvalidTypeError(
                f"features: expected a FeatureTable with the fields {list(fields)}, got "
                f"{type(features).__name__}"
            )
        rows = _matrix(features, "features")
        if rows.shape[1] != field.size:
            raise InvalidValueError(f"features: expected [n, {field.size}], got {list(rows.shape)}")
        return FeatureTable({name: Dense(self._features.of(rows))})

    def __repr__(self) -> str:
        return f"MetaModel({self.learner!r})"


class AdaptedModel:
    """A `MetaModel` adapted to one user: ``adapted(features) -> scores [n]``.

    Valid until the model's learner trains on; then `StateError`.
    """

    def __init__(self, model: MetaModel, table: FeatureTable, labels: NDArray[Any]) -> None:
        learner = model.learner
        user = learner._user_features(None)
        self._model = model
        self._native = learner._native.adapt(
            table.native,
            None if user is None else user.native,
            np.arange(table.rows, dtype=np.int32),
            model._labels.of(labels),
        )

    def __call__(self, features: Features) -> Scores:
        """Return one score for each of the feature rows."""
        table = self._model._table(features)
        scores = self._native.predict(table.native, np.arange(table.rows, dtype=np.int32))
        return self._model._labels.back(scores)

    def __repr__(self) -> str:
        return f"AdaptedModel({self._model!r})"


def meta_learning(tasks: TaskSet | Iterable[Task], *, seed: int = 0) -> MetaModel:
    """Train a meta-learner on tasks, with defaults that suit a first look.

    Parameters
    ----------
    tasks : TaskSet, or iterable of (features [n, d], labels [n])
        Ragged; each one task; of an iterable the first half of a task's rows is its support.
        Numbers given as arrays are standardised inside. Labels that are all 0 or 1 are learned by
        the logistic loss, others by squared error. Of ten tasks and more, every fifth is held out
        to stop early. Where no task has labels (they are None, or there are just features), its
        rows are positive feedback, and as many rows of other tasks, drawn by `seed`, are negative.
    seed : int
        Of everything random.

    Returns
    -------
    MetaModel
        Callable, ``model(features) -> scores [n]``, with ``model.adapt(features, labels)`` for one
        user.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        The message names the task, what came and what was wanted.

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
    >>> features, labels = user()
    >>> ann = model.adapt(features, labels)
    >>> error = ((ann(features) - labels) ** 2).mean()
    >>> bool(error < ((model(features) - labels) ** 2).mean())
    True
    """
    if isinstance(tasks, TaskSet):
        targets = tasks.targets
        learner = _trained(tasks, _loss(targets), seed)
        return MetaModel(learner, float(targets.max()))
    features, labels = _read(tasks, seed)
    if len(features) < 2:
        raise InvalidValueError(f"tasks: expected at least two to learn from, got {len(features)}")
    everything, targets = np.concatenate(features), np.concatenate(labels)
    loss, standard = _loss(targets), Standard.fit(everything)
    of_labels = Standard() if loss == "logistic" else Standard.fit(targets)
    counts = np.array([len(rows) for rows in features])
    task_set = TaskSet(
        offsets_of(counts),
        counts // 2,
        np.arange(len(everything), dtype=np.int32),
        of_labels.of(targets),
        items=FeatureTable({"features": Dense(standard.of(everything))}),
    )
    learner = _trained(task_set, loss, seed)
    return MetaModel(learner, float(targets.max()), standard, of_labels)


def _loss(targets: NDArray[Any]) -> str:
    return "logistic" if np.isin(targets, (0, 1)).all() else "squared_error"


def _trained(tasks: TaskSet, loss: str, seed: int) -> MetaLearner:
    held_out = np.arange(len(tasks)) % 5 == 4
    judged = len(tasks) >= 10
    learner = MetaLearner(
        backbone=COMPONENTS["FeatureMLP"](hidden=(32, 32)),
        algorithm=COMPONENTS["MAML"](inner_lr=0.05, inner_steps=5, adapt="decision"),
        loss=loss,
        optimizer=COMPONENTS["Adam"](lr=2e-3),
        epochs=200 if judged else 30,
        patience=20,
        batch_size=8,
        clip_norm=1.0,
        dtype="float64",
        seed=seed,
    )
    if not judged:
        return learner.fit(tasks, progress=False)
    validation = tasks.take(np.flatnonzero(held_out))
    return learner.fit(tasks.take(np.flatnonzero(~held_out)), validation, progress=False)


def meta_learning_recommendation(
    user_history: Task | Sequence[Task],
    candidate_content: Features,
    *,
    model: MetaModel | None = None,
) -> NDArray[np.intp]:
    """Rank candidates for a user of whom little is known.

    Parameters
    ----------
    user_history : (features [n, d], labels [n]), or a list of such
        With `model`, the one user's rows. Without, a list of users' tasks: a model is meta-trained
        on all of them and the candidates are ranked for the last. Labels None, or just an array of
        features: all positive feedback.
    candidate_content : [m, d]
    model : MetaModel, optional
        From `meta_learning`.

    Returns
    -------
    int array [m]
        The candidates' row numbers, best first; equal scores in their order.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        The message names the argument, what came and what was wanted.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> users = [(random.normal(size=(12, 3)), random.normal(size=12)) for _ in range(10)]
    >>> sorted(meta_learning_recommendation(users, random.normal(size=(5, 3))).tolist())
    [0, 1, 2, 3, 4]
    """
    if model is None:
        if not isinstance(user_history, list) or not user_history:
            raise InvalidTypeError(
                "user_history: without model, expected a list of (features, labels), one for each "
                f"user, got {_kind(user_history)}"
            )
        model = meta_learning(user_history)
        user_history = user_history[-1]
    elif not isinstance(model, MetaModel):
        raise InvalidTypeError(f"model: expected MetaModel, got {type(model).__name__}")
    adapted = model.adapt(*_pair(user_history, "user_history"))
    return np.argsort(-adapted(candidate_content), kind="stable")


def _kind(value: object) -> str:
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, Sized) else repr(value)


def _pair(task: Any, name: str) -> tuple[Any, Any]:
    """Return features and labels, None for features alone."""
    if isinstance(task, (np.ndarray, FeatureTable)):
        return task, None
    if not isinstance(task, tuple) or len(task) != 2:
        raise InvalidTypeError(f"{name}: expected (features, labels), got {_kind(task)}")
    return task


def _read(tasks: Iterable[Task], seed: int) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    if not isinstance(tasks, Iterable):
        raise InvalidTypeError(f"tasks: expected TaskSet or an iterable, got {_kind(tasks)}")
    features: list[NDArray[Any]] = []
    given: list[ArrayLike | None] = []
    for number, task in enumerate(tasks):
        content, labels_of = _pair(task, f"tasks[{number}]")
        rows = _matrix(content, f"tasks[{number}] features")
        if len(rows) == 0:
            raise InvalidValueError(f"tasks[{number}] features: expected at least one row")
        if features and rows.shape[1] != features[0].shape[1]:
            raise InvalidValueError(
                f"tasks[{number}] features: {rows.shape[1]} columns, tasks[0] has "
                f"{features[0].shape[1]}"
            )
        features.append(rows)
        given.append(labels_of)
    missing = [labels is None for labels in given]
    if any(missing) and not all(missing):
        raise InvalidValueError(
            f"tasks[{missing.index(True)}] labels: None, while other tasks have labels"
        )
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
            raise InvalidValueError("tasks: expected at least two to tell positive feedback from")
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
    try:
        labels = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"{name}: expected {count} numbers: {error}") from None
    if labels.shape != (count,) or not np.isfinite(labels).all():
        raise InvalidValueError(f"{name}: expected {count} finite numbers, got {_shown(labels)}")
    return np.ascontiguousarray(labels)


def _shown(labels: NDArray[Any]) -> str:
    return f"shape {list(labels.shape)}" if np.isfinite(labels).all() else "NaN or infinity"
