"""The estimator: learns to adapt to a new user from a handful of ratings."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.adapted import AdaptedUser
from metarec.arrays import as_path, check_index
from metarec.checkpoint import Checkpoint
from metarec.components import Component, component
from metarec.dataset import Dataset
from metarec.episodes import Episodes
from metarec.errors import InvalidTypeError, InvalidValueError, NotFittedError
from metarec.features import FeatureTable
from metarec.guard import Guard
from metarec.negatives import Negatives
from metarec.parameters import Parametrised
from metarec.profile import Profile
from metarec.provenance import Provenance
from metarec.splits import Splits
from metarec.tasks import TaskSet
from metarec.training import Callback, History, Progress, train
from metarec.user_support import UserSupport
from metarec.vocabulary import as_values

if TYPE_CHECKING:
    from metarec.evaluation import Report

Floats = NDArray[np.float32] | NDArray[np.float64]
_ROLES = ("backbone", "algorithm", "loss", "optimizer")


class MetaLearner(Parametrised):
    r"""A recommender that learns to learn: backbone, meta-algorithm, loss and outer optimizer.

    Training minimises, over all tasks t, the loss on query rows after adaptation to support rows,

    .. math:: \min_\theta \; \frac1T \sum_t L(\text{adapt}(\theta; S_t); Q_t),

    so that a new user's few ratings suffice. Tasks are ragged: no padding, no Python loop.

    Parameters
    ----------
    backbone : component or name, default FeatureMLP()
        The network from features to an output.
    algorithm : component or name, default MAML()
        How a task adapts the parameters, and what the outer loop learns from it.
    loss : component or name, default "squared_error"
    optimizer : component or name, default Adam()
        The outer optimizer.
    schedule : component or name, default Constant()
        How the optimizer's learning rate changes with the outer steps.
    episodes : Episodes, optional
        How `fit` draws support and query from a `Dataset`, anew every epoch. None: ``Episodes()``.
    negatives : Negatives, optional
        For implicit feedback, ratings of 1 alone: rows of 0 that are sampled besides, in training
        anew every epoch and to every support that is adapted to. The sizes of `episodes` do not
        count them. Goes with the losses "logistic", "softmax" and "bpr".
    epochs : int
        Passes over the tasks, at most.
    patience : int or None
        With validation: stop after so many epochs without a better score. The best epoch's
        parameters are kept.
    batch_size : int
        Tasks per outer step.
    clip_norm, clip_value : float, optional
        Bounds on the norm, and on each element, of the outer gradient.
    unknown_rate : float
        Probability of hiding each feature value while training, so that unknown ones are learned.
    threads : int, optional
        None: as many as cores. The result is the same, bit for bit, for any number.
    dtype : "float32" or "float64"
    seed : int
        Of everything random.

    Attributes
    ----------
    trained_on_ : Provenance or None
        Which ratings of which data; None where that is not known.
    item_counts_ : float64 [items]
        With `negatives`: ratings of every item in training, by which they are sampled.
    history_ : list of dict
        Per epoch: ``epoch``, ``loss``, and with validation the score, ``validation``.

    Examples
    --------
    >>> import metarec as mr
    >>> data = mr.datasets.synthetic(users=200, items=100, seed=0)
    >>> model = mr.MetaLearner(algorithm=mr.MAML(inner_lr=0.05), epochs=2, seed=0).fit(data)
    >>> model.adapt(items=[3, 14], ratings=[5, 2]).recommend(k=2).items.shape
    (2,)
    """

    _limit: int | None = None  # of numbers, while a file is read
    _data: Dataset | None
    _items: FeatureTable
    _users: FeatureTable | None

    def __init__(
        self,
        *,
        backbone: Component | str = "feature_mlp",
        algorithm: Component | str = "maml",
        loss: Component | str = "squared_error",
        optimizer: Component | str = "adam",
        schedule: Component | str = "constant",
        episodes: Episodes | None = None,
        negatives: Negatives | None = None,
        epochs: int = 10,
        patience: int | None = 3,
        batch_size: int = 32,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        unknown_rate: float = 0.0,
        threads: int | None = None,
        dtype: str = "float32",
        seed: int = 0,
    ) -> None:
        self.backbone = backbone
        self.algorithm = algorithm
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.episodes = episodes
        self.negatives = negatives
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.unknown_rate = unknown_rate
        self.threads = threads
        self.dtype = dtype
        self.seed = seed

    # What it is made of

    def _components(self) -> dict[str, Component]:
        return {role: component(role, getattr(self, role)) for role in _ROLES}

    def _part(self, name: str) -> Parametrised | None:
        value = getattr(self, name)
        return (
            component(name, value)
            if name in (*_ROLES, "schedule") and isinstance(value, str)
            else super()._part(name)
        )

    def _native_options(self) -> dict[str, Any]:
        own = ("batch_size", "clip_norm", "clip_value", "unknown_rate", "threads", "dtype", "seed")
        options = {name: getattr(self, name) for name in own}
        parts = self._components()
        if "schedule" not in parts:
            parts["schedule"] = component("schedule", self.schedule)
        for part in parts.values():
            options |= part.native_options()
        return options

    @property
    def _native(self) -> _metarec.Learner:
        self._guard.check()
        native: _metarec.Learner | None = self.__dict__.get("_learner")
        if native is None:
            raise NotFittedError(
                f"this {type(self).__name__} has no parameters yet: call fit or initialize first"
            )
        return native

    @property
    def _guard(self) -> Guard:
        guard: Guard | None = self.__dict__.get("_guarded_by")
        return self.__dict__.setdefault("_guarded_by", Guard()) if guard is None else guard

    @property
    def _fitting(self) -> object:
        """What is another object after another `fit`."""
        return self.__dict__.get("_learner")

    # Training

    def initialize(self, tasks: TaskSet | Dataset) -> Self:
        """Fix the shapes by the features of `tasks` and draw the parameters; `fit` does it too."""
        with self._guard.fitting():
            if isinstance(tasks, Dataset):
                return self._begin(tasks.tasks(), tasks)
            return self._begin(self._tasks(tasks), None)

    def _begin(self, tasks: TaskSet, data: Dataset | None) -> Self:
        native = _metarec.Learner(self._native_options())
        native.initialize(tasks.native, self._limit)
        # At once, so that no other thread finds a part of it.
        self.__dict__.update(_learner=native, _data=data, _items=tasks.items, _users=tasks.users)
        if data is not None:
            self._forget_unseen(data)
        self.history_: History = []
        self.trained_on_: Provenance | None = None
        if self.negatives is not None:
            self.item_counts_ = Negatives.counts(tasks)
        return self

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
        """Train from the start, or from a checkpoint on.

        Parameters
        ----------
        data : Dataset or TaskSet
            Of a data set, every user is a task whose support and query are drawn anew in every
            epoch, by `episodes`. A task set is trained on as it is.
        validation : Splits or TaskSet, optional
            What the epochs are judged by, ``splits.validation`` or tasks: the mean over its
            scenarios of the RMSE of the query predictions; of the losses that rank, "softmax" and
            "bpr", of the meta-loss.
        progress : "auto", True or False
            A progress bar; "auto": where somebody sees it.
        callbacks : sequence of `metarec.callbacks.Callback` or callables
            What follows the training: a callable is called after every epoch with its row of
            `history_`. What one raises ends the training; the model has the parameters of then.
        checkpoint : Checkpoint or path, optional
            The file to keep from which training can go on; of a path, after every epoch.
        resume : bool
            Go on from that file where it is there, with the bits of a training that was never
            interrupted. It must be of the same options, data and validation; `epochs` may be more.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            An option or argument cannot be used, or the checkpoint is of another training; the
            message says which and why.
        NumericalError
            The loss or its gradient left the finite numbers; the parameters are those of the last
            finished step.
        StateError
            Another thread fits this model. Until `fit` ends it refuses all others, after waiting
            for those that were reading.
        KeyboardInterrupt
            Ctrl-C, within 50 ms; the model can be used and has the parameters of the last finished
            step.

        Examples
        --------
        >>> import metarec as mr
        >>> data = mr.datasets.synthetic(users=50, items=40, seed=0)
        >>> rows = []
        >>> model = mr.MetaLearner(epochs=2).fit(data, callbacks=[rows.append])
        >>> rows == model.history_, [row["epoch"] for row in rows]
        (True, [1, 2])
        """
        with self._guard.fitting():
            train(self, data, validation, progress, callbacks, checkpoint, resume)
        return self

    def partial_fit(self, tasks: TaskSet) -> float:
        """Take one outer step on all of `tasks`, as they are; return their mean meta-loss before.

        What is random in training, hidden values and dropped units, follows the seed and `steps`.

        Raises
        ------
        InvalidValueError
            No task, or a task without rows that the algorithm learns from (query rows for MAML).
        NumericalError
            The loss or its gradient is not finite; the parameters are unchanged.
        """
        native = self._tasks(tasks).native
        if "_learner" not in self.__dict__:
            self.initialize(tasks)
        self.trained_on_ = (
            Provenance.with_more(self.trained_on_, tasks) if self.steps else Provenance.of(tasks)
        )
        return self._native.step(native)

    def _tasks(self, tasks: TaskSet) -> TaskSet:
        """Return the tasks with the features that the model was made for."""
        if not isinstance(tasks, TaskSet):
            raise InvalidTypeError(f"tasks: expected TaskSet, got {type(tasks).__name__}")
        return tasks

    def _forget_unseen(self, data: Dataset) -> None:
        """Set the rows of values that no rating has to zero: they get no gradient, are unknown."""
        parameters = self._native.parameters()
        for fields in data.unseen_values().values():
            for name, values in fields.items():
                if f"embedding.{name}" in parameters:
                    parameters[f"embedding.{name}"][values] = 0

    # Predicting

    def predict(self, tasks: TaskSet) -> Floats:
        """Return the predictions of the query rows after adaptation to each support, in order."""
        with self._guard:
            return self._native.predict(self._with_negatives(self._tasks(tasks)).native)

    def score_catalogue(self, tasks: TaskSet) -> Floats:
        """Return the predictions of all items after adaptation to each support, ``[tasks, items]``.

        What ``evaluate(..., ranking="catalogue")`` ranks. What depends on items alone is computed
        once, so this is faster than `predict` of tasks that ask for every item.
        """
        native = self._native
        shown = self._with_negatives(self._tasks(tasks))
        rows, offsets = shown.support()
        users = None if shown.user_index is None else shown._of_tasks(shown.user_index)
        items = np.arange(shown.items.rows, dtype=np.int32)
        scores = np.empty((len(shown), len(items)), self.dtype)
        for task, (start, end) in enumerate(pairwise(offsets)):
            known = rows[start:end]
            user = None
            if shown.users is not None and users is not None:
                user = shown.users.take(users[task : task + 1]).native
            ratings = shown.targets[known].astype(np.float64)
            adapted = native.adapt(shown.items.native, user, shown.item_index[known], ratings)
            scores[task] = adapted.predict(shown.items.native, items)
        return scores

    def _with_negatives(self, tasks: TaskSet) -> TaskSet:
        """Return tasks whose support has negatives besides, of a model that learned by them."""
        native = self._native  # that it is fitted comes first
        if self.negatives is None or not native.steps:
            return tasks
        return self.negatives.beside(tasks, self.item_counts_, self.seed)

    def adapt(
        self,
        items: Iterable[Hashable] = (),
        ratings: ArrayLike = (),
        user: Mapping[str, Any] | Hashable | FeatureTable = None,
    ) -> AdaptedUser:
        """Adapt to one user; the model is unchanged.

        Parameters
        ----------
        items : ids
            What the user rated, as in your data. Items never seen in training count as unknown:
            their features are zero vectors. Of a model that was fitted on a `TaskSet`: row numbers
            of its items, -1 for unknown ones.
        ratings : numbers, one for each of `items`
            Repeated items count as often as they come. None at all: the prior.
        user : mapping, id or None
            Raw feature values, such as ``{"age": 25}``: fields left out and values never seen are
            unknown. Or the id of a user of the data, or nothing known. Of a model that was fitted
            on a `TaskSet`: a `FeatureTable` of one row.

        Returns
        -------
        AdaptedUser
            With `predict` and `recommend`; valid until the model trains on.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            An argument cannot be used; an unknown user field's message names those there are.
        NumericalError
            The adapted parameters are not finite.
        """
        with self._guard:
            return self._adapt(items, ratings, user)

    def _adapt(
        self,
        items: Iterable[Hashable],
        ratings: ArrayLike,
        user: Mapping[str, Any] | Hashable | FeatureTable,
    ) -> AdaptedUser:
        native = self._native
        given = as_values(items, "items")
        codes = self._item_codes(given)
        try:
            values = np.array(ratings, np.float64, order="C")
        except (TypeError, ValueError) as error:
            raise InvalidTypeError(f"ratings: expected numbers; {error}") from None
        if values.shape != codes.shape:
            raise InvalidValueError(
                f"ratings: expected one for each of {len(codes)} items, got shape {values.shape}"
            )
        features = self._user_features(user)
        if self.negatives is not None and native.steps:
            drawn = self.negatives.of(codes, self.item_counts_, self.seed)
            codes = np.concatenate([codes, drawn])
            values = np.concatenate([values, np.zeros(len(drawn))])
        adapted = native.adapt(
            self._items.native, None if features is None else features.native, codes, values
        )
        return AdaptedUser(adapted, self, given, UserSupport(codes, values, features, user))

    def evaluate(self, splits: Splits, **options: Any) -> "Report":
        """Return `metarec.evaluate` of this model; `options` are its."""
        from metarec.evaluation import evaluate

        return evaluate(self, splits, **options)

    def _item_codes(self, items: Iterable[Hashable]) -> NDArray[np.int32]:
        if self._data is not None:
            return self._data.item_codes(items)
        given = as_values(items, "items")
        if len(given) and given.dtype != np.int64:
            raise InvalidTypeError(f"items: expected row numbers of the items, got {given[0]!r}")
        check_index(given, self._items.rows, "items")
        return given.astype(np.int32)

    def _user_features(
        self, user: Mapping[str, Any] | Hashable | FeatureTable
    ) -> FeatureTable | None:
        if isinstance(user, FeatureTable):
            if user.rows != 1:
                raise InvalidValueError(f"user: expected a table of one row, got {user.rows}")
            return user
        if self._data is not None:
            return self._data.user_features(user)
        if user is not None:
            raise InvalidTypeError(
                "user: a model that was fitted on a TaskSet takes a FeatureTable of one row, got "
                f"{type(user).__name__}"
            )
        return None if self._users is None else self._users.take([-1])

    # Looking inside

    def parameters(self) -> dict[str, Floats]:
        """Return the parameters by name, as views: writing into them changes the model.

        Names as in the backbone, such as "embedding.genre" [25, 32], "dense0.weight" [in, 64],
        "dense0.bias" [64], "head.weight", "head.bias", and what the algorithm adds
        ("step_size.<name>").
        While a call trains, a view of a table may lag.
        """
        self._native.settle()
        return self._native.parameters()

    def meta_gradient(self, tasks: TaskSet) -> tuple[float, dict[str, Floats]]:
        """Return the mean meta-loss over the tasks and its gradient, under the parameters' names.

        Nothing in it is random: no value is hidden and no unit dropped.

        Raises
        ------
        InvalidValueError
            No task, or a task without rows that the algorithm learns from (query rows for MAML).
        NumericalError
            The loss is not finite.
        """
        return self._native.meta_gradient(self._tasks(tasks).native)

    def adapted_parameters(self, tasks: TaskSet) -> dict[str, Floats]:
        """Return every task's parameters after the inner loop, by name: ``[T, ...]`` each.

        Only of parameters that the inner loop changes. A table comes whole for every task.
        """
        return self._native.adapted_parameters(self._tasks(tasks).native)

    def support_losses(self, tasks: TaskSet) -> Floats:
        """Return the support losses before the inner loop and after each of its steps.

        ``[T, inner_steps + 1]``; NaN for a task without support.
        """
        return self._native.support_losses(self._tasks(tasks).native)

    def profile(self, tasks: TaskSet) -> Profile:
        """Return what each instruction of the training plan costs, a mean over the tasks.

        Every instruction is timed by itself, on one thread, ten times over all tasks; the fastest
        counts. The model is unchanged. Time outside the plan (lookups, the optimizer) is not in it.

        Raises
        ------
        InvalidValueError
            No task, or a task without rows that the algorithm learns from.

        Examples
        --------
        >>> import metarec as mr
        >>> tasks = mr.datasets.synthetic(users=20, items=40, seed=0).tasks()
        >>> profile = mr.MetaLearner().initialize(tasks).profile(tasks)
        >>> profile[0].share >= profile[-1].share, round(sum(cost.share for cost in profile), 6)
        (True, 1.0)
        """
        return Profile(self._native.profile(self._tasks(tasks).native))

    @property
    def steps(self) -> int:
        """Number of finished outer steps."""
        return self._native.steps

    # Files

    def _learned(self) -> dict[str, Any]:
        """Return what fitting decided beside the parameters, in JSON's types."""
        return {}

    def _restore_learned(self, learned: Mapping[str, Any]) -> None:
        """Take what `_learned` returned."""

    def _beside(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what stands beside the network, in JSON's types and as arrays."""
        return {}, {}

    def _restore_beside(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `_beside` returned."""

    def save(self, path: str | Path) -> None:
        """Write the model to one file that `mr.load` reads: safetensors with JSON, never pickle.

        It has the parameters, the optimizer's state, the options, and what maps ids and raw values
        of your data, but no ratings and no users. Written atomically: where saving fails, a file
        that was there stays as it was.

        Raises
        ------
        InvalidTypeError
            Ids or options that a file cannot hold: ids must be all int or all str.
        """
        from metarec.files import save

        with self._guard:
            save(self, as_path(path, "path"))

    def __getstate__(self) -> dict[str, Any]:
        """Return options and, if there are any, parameters: so models can be pickled and copied."""
        with self._guard:
            learned = self._state() if "_learner" in self.__dict__ else None
        return {"params": self.get_params(deep=False), "learned": learned}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the model of what `__getstate__` gave."""
        self.__init__(**state["params"])  # type: ignore[misc]
        if state["learned"] is not None:
            self._restore(*state["learned"])

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        from metarec.files import describe

        return describe(self)

    def _restore(self, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        from metarec.files import restore

        restore(self, about, arrays)

    def _repr_html_(self) -> str:
        from html import escape

        state = f"{self.steps:,} outer steps" if "_learner" in self.__dict__ else "not fitted"
        return f"<code>{escape(repr(self))}</code><br><small>{state}</small>"
