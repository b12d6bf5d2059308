"""The preset for cold starts."""

import warnings
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, TypeGuard, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.adapted import AdaptedUser
from metarec.blend import KINDS
from metarec.checkpoint import Checkpoint
from metarec.components import COMPONENTS, Component
from metarec.dataset import Dataset
from metarec.decisions import Decision, check_decision, decide
from metarec.encoded import item_bias, item_features, rating_levels, shape, user_fields
from metarec.episodes import Episodes
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.estimator import State
from metarec.factorisation import BayesianMF
from metarec.features import FeatureTable
from metarec.implicit import ImplicitColdStart, is_clicks
from metarec.learner import Floats
from metarec.mixture import Evidence, Mixture
from metarec.presets import _PARTS, Preset
from metarec.pretence import pretences
from metarec.scorer import MixtureScorer
from metarec.splits import Splits
from metarec.tasks import TaskSet
from metarec.training import Callback, Progress

#: Other epochs than all are trained where that is so much better on what was held out.
CLEARLY = 0.995
#: What the preset for clicks has of the options.
SHARED = ("threads", "dtype", "seed")
#: Ratings for which, and for more, `L2` is the penalty; for fewer it is larger.
MANY, L2 = 500_000, 5e-4
#: What fitting sets, the learner last.
_FITTED = (
    "levels_",
    "_taken",
    "_left_out",
    "_own_data",
    "_l2",
    "_batch",
    "_steps",
    "_mixture",
    "_clicks",
    "_learner",
)


class ColdStart(Preset):
    r"""The recommender for new users and new items: a Bayesian linear head and a factorisation.

    An item is its content and, where training knows it, its id, which training hides at random: so
    new items do with their content. A user is a Bayesian linear model on the items' features; its
    prior mean follows from the user's own features, and the posterior of a few ratings is one
    solve. What the query items see of the support by attention corrects the result, a distribution
    over the levels of the ratings (stars, or 0 and 1).

    Beside this network stand a `BayesianMF` and its offsets alone; the three are mixed as in a
    `Blend`, :math:`P(r) \propto \prod_k P_k(r)^{w_k}`, apart for items with and without training
    ratings. The weights, how the factorisation uses the scale, and the number of epochs are chosen
    by users and items that no model was trained on, see `fit`; so a network that has too few
    ratings to learn from counts for nothing. Per metric another decision is optimal: `predict`
    gives the mean, the median, the mode, or the whole distribution.

    Works on any `Dataset`: with or without features of items and users. The items' features, and
    the data's `content_columns`, enter as principal components of their weighted kernels. Where
    all ratings are the same, as of clicks, the model is an `ImplicitColdStart` within, until it is
    fitted to others, unless `negatives` says how to draw what was not clicked. Of the options that
    one has `threads`, `dtype` and `seed`; `fit` warns of others that are set.

    Parameters
    ----------
    tokens, features : int
        Columns of an item's representation, and of them those that the head multiplies.
    components : int
        Principal components of the items' content.
    counts : bool
        Whether the representation has how often an item is rated in training, in powers of the
        square root of 2. Training hides it with the id, for new items have neither.
    attention : int
        Heads of the attention over the support; 0: the closed form alone, which is much faster.
    factorisation : bool or mapping
        Whether the `BayesianMF` is there, or its options, such as ``{"rank": 8}``. False: the
        network alone. With `negatives` it is always alone.
    lr : float
        Of the outer Adam, which warms up and falls as a cosine.
    l2 : float or None
        Penalty on the squared embeddings, eight times as large on the content's weights and .4
        times on the attention's. None: 5e-4, times 500,000 / ratings where they are fewer.
    dropout : float
        Probability of dropping a hidden unit behind the attention while training.
    batch_size : int or None
        Users per outer step; None: a fortieth of them, from 8 to 96.
    **options
        episodes, epochs, patience, ... as in `MetaLearner`.

    Attributes
    ----------
    levels_ : float [levels]
        The values of the distribution: the ratings that there are, or the means of ten equal parts
        where there are more than 20. None of clicks alone: they have no distribution.
    weights_ : dict
        Under "known" and "new" the weights of "network", "factorisation" and "offsets".

    Notes
    -----
    The defaults were chosen on the validation scenarios of ``mr.split.melu`` on MovieLens-1M, none
    on test scenarios. There, fitted to ``splits.train_and_validation`` with ``splits.validation``,
    5 draws and 3 seeds, the differences from `bias` in MAE (median), RMSE (mean) and nDCG@3
    (expected gain) are -0.102, -0.064, +0.039 for new users, -0.075, -0.038, +0.096 for new items,
    and -0.070, -0.034, +0.094 for both; of the network alone -0.092, -0.052, +0.033, then -0.068,
    -0.030, +0.087 and -0.064, -0.027, +0.087.

    Cost, two threads (``python/benchmarks/one_user.py``): the network adapts in some 30
    microseconds, scores 3,881 items in 1.3 ms, and needs .5 ms for ``recommend(10,
    shortlist=300)``. The whole folds the user into every sample of the factorisation as well, in
    another 120 microseconds, and takes some 2.5 and .6 ms. Training takes at least twice as long as
    the network's: once to choose, once on everything. Beside the model, the factors of every item
    are kept once more as columns, for one user's scores.

    References
    ----------
    Harrison, Sharma and Pavone, "Meta-Learning Priors for Efficient Online Bayesian Regression",
    WAFR 2018. Volkovs, Yu and Poutanen, "DropoutNet", NIPS 2017. Kim et al., "Attentive Neural
    Processes", ICLR 2019. Salakhutdinov and Mnih, "Bayesian Probabilistic Matrix Factorization
    Using Markov Chain Monte Carlo", ICML 2008.

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(users=300, items=150, seed=0), seed=0)
    >>> quick = {"rank": 4, "samples": 5, "burn_in": 10}
    >>> model = mr.ColdStart(factorisation=quick, epochs=3, seed=0).fit(splits.train)
    >>> tasks = splits.new_user.tasks()
    >>> model.predict(tasks, decision="distribution").shape == (tasks.query_rows, 5)
    True
    >>> model.adapt(items=[3, 14], ratings=[5, 2], user={"age": 1}).recommend(k=3).items.shape
    (3,)
    """

    _fixed: ClassVar[tuple[str, ...]] = (*_PARTS, "schedule")
    _mixture: Mixture | None = None
    _clicks: ImplicitColdStart | None = None

    def __init__(
        self,
        *,
        tokens: int = 64,
        features: int = 64,
        components: int = 192,
        counts: bool = True,
        attention: int = 4,
        factorisation: bool | Mapping[str, Any] = True,
        lr: float = 5e-3,
        l2: float | None = None,
        dropout: float = 0.0,
        episodes: Episodes | None = Episodes(support=(0, 90), query=30),  # noqa: B008
        epochs: int = 28,
        patience: int | None = None,
        batch_size: int | None = None,
        clip_norm: float | None = 5.0,
        **options: Any,
    ) -> None:
        super().__init__(
            episodes=episodes,
            epochs=epochs,
            patience=patience,
            batch_size=batch_size,
            clip_norm=clip_norm,
            **options,
        )
        self.tokens, self.features, self.components = tokens, features, components
        self.counts = counts
        self.attention, self.lr, self.l2, self.dropout = attention, lr, l2, dropout
        self.factorisation = factorisation

    def _components(self) -> dict[str, Component]:
        l2 = self._l2 if self.l2 is None else self.l2
        return {
            "backbone": COMPONENTS["ContentEncoder"](
                tokens=self.tokens, features=self.features, l2=l2, weight_l2=8 * l2
            ),
            "algorithm": COMPONENTS["BayesianLinear"](
                attention=self.attention, precision=10.0, l2=0.4 * l2, dropout=self.dropout
            ),
            "loss": COMPONENTS["Ordinal"](levels=tuple(self.levels_.tolist())),
            "optimizer": COMPONENTS["Adam"](lr=self.lr, beta2=0.99),
            "schedule": COMPONENTS["Cosine"](
                steps=self._steps, warmup=min(100, self._steps // 10), final=0.03
            ),
        }

    def _native_options(self) -> dict[str, Any]:
        return super()._native_options() | {"batch_size": self._batch}

    # Fitting

    def initialize(self, tasks: TaskSet | Dataset) -> Self:
        """Fix the shapes by `tasks`, a `Dataset`, and draw the parameters; `fit` does it too."""
        if self._are_clicks(tasks):
            return self.fit(tasks)
        with self._guard.fitting(), self._unchanged_if_refused():
            own = self._encoded(tasks)
            self._forget_clicks()
            return super().initialize(own)

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
        """Train from the start.

        Parameters
        ----------
        data : Dataset
        validation : Splits or TaskSet, optional
            What the number of epochs, the use of the scale and the weights are chosen by,
            ``splits.validation``. Where `data` has its ratings, as ``splits.train_and_validation``,
            models without them are trained to choose by, then all once more on all of `data`.
            None: the same with users and items of `data` that are pretended new, a tenth of them,
            up to four times where they are few.
        progress, callbacks, checkpoint, resume
            As in `MetaLearner.fit`; of the last training.

        Raises
        ------
        InvalidTypeError, InvalidValueError, NumericalError, KeyboardInterrupt
            As in `MetaLearner.fit`.
        """
        with self._guard.fitting(), self._unchanged_if_refused():
            if self._are_clicks(data):
                unused = {"callbacks": callbacks, "checkpoint": checkpoint, "resume": resume}
                return self._fit_clicks(data, [name for name, given in unused.items() if given])
            own = self._encoded(data)
            self._forget_clicks()
            options = self._factorisations()
            following: dict[str, Any] = {"progress": progress, "callbacks": callbacks}
            following |= {"checkpoint": checkpoint, "resume": resume}
            if not options or not isinstance(data, Dataset):
                return super().fit(own, validation, **following)
            return self._fit_mixture(data, own, options, validation, following)

    @contextmanager
    def _unchanged_if_refused(self) -> Iterator[None]:
        """Leave the model as it was if an error comes before there is a new learner."""
        before = {name: self.__dict__[name] for name in _FITTED if name in self.__dict__}
        learner = before.get("_learner")
        try:
            yield
        except BaseException:
            if self.__dict__.get("_learner", learner) is learner:
                for name in _FITTED:
                    self.__dict__.pop(name, None)
                self.__dict__.update(before)
            raise

    def _are_clicks(self, data: Dataset | TaskSet) -> TypeGuard[Dataset]:
        """Return whether there is no more than clicks to learn from."""
        if not isinstance(data, Dataset) or data is self.__dict__.get("_own_data"):
            return False
        return self.negatives is None and is_clicks(data)

    def _fit_clicks(self, data: Dataset, unused: Sequence[str]) -> Self:
        """Fit the preset for clicks, which is this model from then on."""
        defaults = type(self)().get_params(deep=False)
        options = self.get_params(deep=False)
        set_ = [name for name in options if name not in SHARED and options[name] != defaults[name]]
        if set_ or unused:
            warnings.warn(
                f"ColdStart: all ratings are {data.rating[0]:g}, so they are taken as clicks, for "
                f"which nothing is trained: {', '.join((*set_, *unused))} not used; see "
                "ImplicitColdStart, or set negatives",
                stacklevel=3,
            )
        self._take_clicks(self._new_clicks().fit(data))
        return self

    def _new_clicks(self) -> ImplicitColdStart:
        return ImplicitColdStart(**{name: getattr(self, name) for name in SHARED})

    def _take_clicks(self, clicks: ImplicitColdStart) -> None:
        """Be what the preset for clicks has learned: its learner, items and history."""
        for name in ("_own_data", "_taken", "_left_out"):
            self.__dict__.pop(name, None)
        names = ("_learner", "_data", "_items", "_users", "history_", "trained_on_")
        taken = {name: clicks.__dict__[name] for name in names}
        self.__dict__.update(taken, _clicks=clicks, _mixture=None, levels_=None)

    def _forget_clicks(self) -> None:
        """Be not fitted, if fitted to clicks."""
        if self._clicks is not None:
            self._clicks = None
            self.__dict__.pop("_learner")

    def _fit_mixture(
        self,
        data: Dataset,
        own: Dataset,
        options: Sequence[Mapping[str, Any]],
        validation: Splits | TaskSet | None,
        following: Mapping[str, Any],
    ) -> Self:
        trials = pretences(data, self.seed) if validation is None else _without(data, validation)
        self.__dict__.pop("_learner", None)  # Interrupted, it is not fitted.
        evidence, epochs = self._tried(trials, options, following["progress"])
        given, self.epochs = self.epochs, epochs
        try:
            super().fit(own, None if trials else validation, **following)
        finally:
            self.epochs = given
        partners = self._partners(options, data)
        if validation is not None and not trials:
            evidence = Evidence.of(self, partners, validation)
        self._mixture = Mixture.learned(partners, evidence, self.levels_)
        return self

    def _tried(
        self, trials: Sequence[Splits], options: Sequence[Mapping[str, Any]], progress: Progress
    ) -> tuple[list[Evidence], int]:
        """Return what models say of users and items held out of them, and how many epochs do."""
        found: list[Evidence] = []
        curves = []
        for held in trials:
            trial = type(self)(**self.get_params(deep=False) | {"factorisation": False})
            trial.fit(trial._encoded(held.train, self.levels_), held, progress=progress)
            found += Evidence.of(trial, trial._partners(options, held.train), held)
            curves.append([row["validation"] for row in trial.history_])
        if not curves:
            return found, self.epochs
        errors = np.mean([curve[: min(map(len, curves))] for curve in curves], axis=0)
        best = int(np.argmin(errors))
        return found, best + 1 if errors[best] < CLEARLY * errors[-1] else self.epochs

    def _factorisations(self) -> list[Mapping[str, Any]]:
        """Return the options of the factorisations beside the network."""
        given = self.factorisation
        if not isinstance(given, (bool, Mapping)):
            raise InvalidTypeError(
                "factorisation: expected True, False or a mapping of options, got "
                f"{type(given).__name__}"
            )
        if given is False or self.negatives is not None:
            return []
        shared = {"threads": self.threads, "seed": self.seed}
        options = shared | ({} if given is True else dict(given))
        known = BayesianMF().get_params().keys() - {"levels", "probits"}
        if unknown := options.keys() - known:
            raise InvalidValueError(
                f"factorisation: no options {sorted(unknown)}; there are {sorted(known)}"
            )
        # Offsets alone hold out where ratings are too few for anything else.
        return [options, options | {"rank": 0}]

    def _partners(self, options: Sequence[Mapping[str, Any]], data: Dataset) -> list[BayesianMF]:
        """Return factorisations of the data, with the users' features that the network has."""
        data = data.with_features(data.items, self._own_data.users)
        return [each.fit(data, progress=False) for each in self._new_partners(options)]

    def _new_partners(self, options: Sequence[Mapping[str, Any]]) -> list[BayesianMF]:
        return [BayesianMF(**each, levels=self.levels_) for each in options]

    def _encoded(
        self, data: Dataset | TaskSet, levels: NDArray[np.float64] | None = None
    ) -> Dataset:
        """Return the data with the features that the model takes."""
        if not isinstance(data, Dataset):
            raise InvalidTypeError(f"data: expected Dataset, got {type(data).__name__}")
        own: Dataset | None = self.__dict__.get("_own_data")
        if data is own:
            return data
        if not isinstance(self.counts, bool):
            raise InvalidTypeError(
                f"counts: expected True or False, got {type(self.counts).__name__}"
            )
        if levels is None:
            levels = rating_levels(data, drawn=self.negatives is not None)
        self.levels_ = levels
        users = user_fields(data)
        self._taken = shape(data.items), shape(data.users)
        self._left_out = [n for n in (data.users.fields if data.users else {}) if n not in users]
        own = data.with_features(
            item_features(data, self.components, counts=self.counts),
            FeatureTable(users) if users else None,
        )
        self._own_data = own
        return own

    def _begin(self, tasks: TaskSet, data: Dataset | None) -> Self:
        if len(tasks):  # A loaded model keeps the steps that it was fitted for.
            counts = tasks._query_counts() + tasks._support_counts()
            users = int((counts > 1).sum())
            size = min(max(users // 40, 8), 96) if self.batch_size is None else self.batch_size
            rows = int(tasks.query_rows + tasks.support_rows)
            self._l2 = L2 * max(1.0, MANY / rows)
            self._batch, self._steps = size, max(1, self.epochs * -(-users // size))
        super()._begin(tasks, data)
        self._mixture = None
        if data is not None and len(data):
            self._native.parameters()["embedding.item"][:, -1] = item_bias(data)
        return self

    def _tasks(self, tasks: TaskSet) -> TaskSet:
        if self._clicks is not None:
            return self._clicks._tasks(tasks)
        tasks = super()._tasks(tasks)
        if "_items" not in self.__dict__ or tasks.items is self._items:
            return tasks
        if (shape(tasks.items), shape(tasks.users)) != self._taken:
            raise InvalidValueError(
                "tasks: expected tasks of the data that the model was fitted on"
            )
        whole = tasks if tasks._whole is None else tasks._whole
        users = None
        if self._users is not None and tasks.users is not None:
            # Theirs, for a loaded model has the items with it but no users.
            users = FeatureTable({name: tasks.users[name] for name in self._users.fields})
        own = TaskSet(
            whole.offsets,
            whole.support_counts,
            whole.item_index,
            whole.targets,
            None if users is None else whole.user_index,
            items=self._items,
            users=users,
        )
        return own if tasks.task_ids is None else own.take(tasks.task_ids)

    # Predicting

    def predict(self, tasks: TaskSet, decision: Decision = "mean") -> Floats:
        """Return what is predicted for the query rows after adaptation to each support, in order.

        Parameters
        ----------
        tasks : TaskSet
            Of the data that the model was fitted on.
        decision : "mean", "median", "mode" or "distribution"
            The mean is best for the squared error, the median for the absolute one, the mode for
            accuracy. The distribution has the probability of each of `levels_`.

        Returns
        -------
        float [query rows], or [query rows, levels]
        """
        check_decision(decision)
        with self._guard:
            if self._mixture is None and decision == "mean":
                return super().predict(tasks)
            if self._clicks is not None:
                raise InvalidValueError(
                    "decision: expected mean, for clicks alone have no distribution, got "
                    f"{decision!r}"
                )
            own = self._tasks(tasks)
            distribution = self._network(own)
            if self._mixture is not None:
                distribution = self._mixture.distribution(distribution, own)
            return decide(distribution, self.levels_, decision)

    def score_catalogue(self, tasks: TaskSet) -> Floats:
        """Return the predictions of all items after adaptation to each support, ``[tasks, items]``.

        As `MetaLearner.score_catalogue`, of the whole mixture.
        """
        if self._mixture is None:
            return super().score_catalogue(tasks)
        from metarec.evaluation.catalogue import everything

        items = self._items.rows
        return self.predict(everything(self._tasks(tasks), items)).reshape(len(tasks), items)

    def _with_negatives(self, tasks: TaskSet) -> TaskSet:
        return tasks if self._clicks is not None else super()._with_negatives(tasks)

    def _network(self, tasks: TaskSet) -> NDArray[np.float64]:
        """Return the network's distribution."""
        native = self._with_negatives(tasks).native
        return self._native.distribution(native).astype(np.float64)

    def adapt(
        self,
        items: Iterable[Hashable] = (),
        ratings: ArrayLike = (),
        user: Mapping[str, Any] | Hashable | FeatureTable = None,
    ) -> AdaptedUser:
        """Adapt to one user, as `MetaLearner.adapt`; of clicks without `ratings`."""
        with self._guard:
            if self._clicks is not None:
                given = None if np.shape(ratings) == (0,) else ratings
                of = self._clicks.adapt(items, given)
                return AdaptedUser(of._native, self, of.items, of._support)
            adapted = super().adapt(items, ratings, user)
            if self._mixture is not None:
                task = adapted._support.task(self._items)
                network = cast(_metarec.Adapted, adapted._native)
                adapted._native = MixtureScorer(network, self._mixture, self._tasks(task))
            return adapted

    def _user_features(self, user: Any) -> FeatureTable | None:
        if isinstance(user, Mapping):
            user = {name: value for name, value in user.items() if name not in self._left_out}
        return super()._user_features(user)

    @property
    def weights_(self) -> dict[str, dict[str, float]]:
        """Weights of the network, the factorisation and its offsets, by kind of item."""
        if self._mixture is None:
            return {kind: {"network": 1.0} for kind in KINDS}
        names = ("network", "factorisation", "offsets")
        return {
            kind: dict(zip(names, values.tolist(), strict=True))
            for kind, values in self._mixture.weights.items()
        }

    # Files

    def _state(self) -> State:
        if self._clicks is None:
            return super()._state()
        self._clicks.trained_on_ = self.trained_on_
        about, arrays = self._clicks._state()
        return {"clicks": about}, arrays

    def _restore(self, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        if "clicks" not in about:
            return super()._restore(about, arrays)
        clicks = self._new_clicks()
        clicks._restore(about["clicks"], arrays)
        self._take_clicks(clicks)

    def _learned(self) -> dict[str, Any]:
        return {
            "levels": self.levels_.tolist(),
            "steps": [self._batch, self._steps],
            "l2": self._l2,
            "taken": self._taken,
            "left_out": self._left_out,
            "counts": self.counts,
        }

    def _beside(self) -> State:
        return ({}, {}) if self._mixture is None else self._mixture.state()

    def _restore_beside(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        if about:
            partners = self._new_partners(self._factorisations())
            self._mixture = Mixture.restored(partners, self.levels_, about, arrays)

    def _restore_learned(self, learned: Mapping[str, Any]) -> None:
        self.levels_ = np.array(learned["levels"])
        self._batch, self._steps = learned["steps"]
        self._l2 = learned.get("l2", L2)
        items, users = learned["taken"]
        self._taken = [tuple(field) for field in items], [tuple(field) for field in users]
        self._left_out = list(learned["left_out"])
        self.counts = bool(learned.get("counts", False))  # older files have none


def _without(data: Dataset, validation: Splits | TaskSet) -> list[Splits]:
    """Return `validation` if `data` has ratings that it asks for: then it is to be left out."""
    if not isinstance(validation, Splits) or validation.data.root is not data.root:
        return []
    mine = np.zeros(len(data.root), np.bool_)
    mine[data.rows] = True
    rows = validation.data.rows
    asked = [rows[scenario.unseen_rows] for scenario in validation.values()]
    return [validation] if any(mine[each].any() for each in asked) else []
