"""Score trained models on the scenarios of a split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count, offsets_of
from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.evaluation import about, catalogue, groups, leakage
from metarec.evaluation.answer import Answer, ask, gives_distributions
from metarec.evaluation.calibration import Calibration
from metarec.evaluation.floors import FLOORS
from metarec.evaluation.metrics import POOLED, Floats, Metric, Scale, resolve, score
from metarec.evaluation.report import Report
from metarec.evaluation.scores import Cell, Scores
from metarec.evaluation.tables import HEADLINE
from metarec.provenance import Provenance

if TYPE_CHECKING:
    from metarec.scenario import Scenario
    from metarec.splits import Splits
    from metarec.tasks import TaskSet

SUPPORT_SIZES = (0, 1, 3, 5, 10, 20, 30)
RANKINGS = ("query", "catalogue")


class Model(Protocol):
    """Anything that predicts the query rows of a task set from its support.

    A model with the attribute ``levels_``, the ascending values that a rating can have, is asked
    ``predict(tasks, decision="distribution")`` for ``[query rows, levels]``, their probabilities.
    """

    def predict(self, tasks: Any, /) -> Any:
        """Return one number a query row, tasks in order."""


Models = Model | Sequence[Model | Sequence[Model]] | Mapping[str, Model | Sequence[Model]]


def evaluate(
    model: Models,
    splits: Splits,
    *,
    draws: int = 5,
    metrics: Sequence[str] | None = None,
    support_sizes: Sequence[int] = SUPPORT_SIZES,
    scenarios: Sequence[str] | None = None,
    history: int = 0,
    floors: bool | Dataset = True,
    ranking: str = "query",
    relevant: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Score trained models on every scenario, with bootstrap intervals, beside the floors.

    Parameters
    ----------
    model
        A model, several, or several by name; without a name a model has that of its class. All
        that is asked of it is ``predict(tasks)``: one number a query row, clipped to the scale; or
        a distribution, of a model that has `levels_`. A list in the place of a model are copies of
        it, trained with different seeds: their mean is its value, and `Report.stability` tells
        their spread.
    splits
        From `mr.split`.
    draws
        Support and query are drawn this many times; a split by time has one draw.
    metrics
        Names such as ``["mae", "ndcg@3"]``; None: all that fit the ratings. Of a prediction, `mae`
        and `rmse` are given for the number (decision `"mean"`) and for its nearest star
        (`"rounded"`), `accuracy` for the nearest star. Of a distribution each metric is given for
        what is best for it: `"median"`, `"mean"`, `"gain"`, `"mode"`.
    support_sizes
        Sizes of the curve over support size: the first s rows of the same support, the same
        query, only tasks whose support has at least ``max(support_sizes)`` rows. 0 is before
        adaptation; empty: no curve.
    scenarios
        Names of those wanted; None: all.
    history
        In `new_item`: up to this many of the user's own training ratings, put before the support.
    floors
        Whether to score the trivial floors too: `global_mean`, `user_mean`, `user_median`, `bias`
        (of the catalogue: `popularity`); or the ratings to fit them on. They are fitted on the
        whole training part, validation included: they choose nothing.
    ranking
        What is ranked: the rows of the `"query"`, or the whole `"catalogue"` less the support, for
        implicit feedback. The query's items are then what should come first, the metrics are those
        of rankings and of lists, such as ``["ndcg@10", "hr@10", "coverage@10"]``. A model may have
        ``score_catalogue(tasks)``, ``[tasks, items]``, which is faster.
    relevant
        The rating from which an item is relevant; None: four fifths of the scale's top (4 of 5), of
        the catalogue every item of the query.
    resamples
        Bootstrap resamples of the users.
    seed
        Of the bootstrap, and of the randomised probability integral transform.

    Returns
    -------
    Report
        A table when shown; nothing is printed.

    Raises
    ------
    LeakageError
        A model was trained on ratings that a scenario keeps from it. Models say what they were
        trained on in `trained_on_`; the report names those that do not.
    InvalidTypeError, InvalidValueError
        An argument cannot be used, or `predict` returned another number of rows.
    NumericalError
        A prediction is not finite, or probabilities do not sum to 1.

    Notes
    -----
    The targets of the query are hidden from `predict`. Draws are not training seeds: the spread
    over the one says nothing of that over the other. Intervals are 95 % percentile bootstraps over
    users, a user's draws together. `predict` is called for every draw of every scenario and support
    size.

    Examples
    --------
    >>> report = mr.evaluate([model, baseline], splits)  # doctest: +SKIP
    >>> report.compare("MeLU", "bias", metrics=["mae"])  # doctest: +SKIP
    """
    options = dict(locals())
    draws, resamples = as_count(draws, "draws", 1), as_count(resamples, "resamples", 1)
    history, seed = as_count(history, "history"), as_count(seed, "seed")
    sizes = list(dict.fromkeys(as_count(size, "support_sizes") for size in support_sizes))
    if not hasattr(splits, "train_and_validation"):
        raise InvalidTypeError(
            f"splits: expected Splits, from mr.split, got {type(splits).__name__}"
        )
    if ranking not in RANKINGS:
        raise InvalidValueError(f"ranking: got {ranking!r}, wanted one of {RANKINGS}")
    if relevant is not None and not np.isfinite(relevant):
        raise InvalidValueError(f"relevant: got {relevant}, wanted a rating")
    training = splits.train_and_validation
    trivial = _floors(floors, training, ranking)
    models = _named(model, trivial)
    run: _Ranked | _Rated
    if ranking == "catalogue":
        run = _Ranked(catalogue.resolve(metrics), training, relevant)
    else:
        scale = Scale.of(training.rating, *training.scale)
        least = 0.8 * scale.high if relevant is None else relevant
        run = _Rated(metrics, scale, least, groups.popularity(training), seed)
        run.resolve(False)
    contenders = models | {name: [floor] for name, floor in trivial.items()}
    chosen = _chosen(splits, scenarios)
    checked = _checked(contenders, chosen)

    scores: dict[Cell, Scores] = {}
    tasks, curve_tasks = {}, {}
    for name, scenario in chosen.items():
        if not len(scenario):
            continue
        before = history if scenario.name == "new_item" else 0
        long = scenario.eligible(max(sizes, default=0))
        tasks[name] = len(scenario)
        active = groups.activity(scenario, training)
        for size in (None, *(sizes if len(long) else ())):
            ids = np.arange(len(scenario)) if size is None else long
            if size is not None:
                curve_tasks[name] = len(long)
            drawn = list(_drawn(scenario, draws, size, ids, before, training.scale[0]))
            run.start(drawn, whole=size is None)
            for who, copies in contenders.items():
                found = run.measure(who, copies, name)
                for (metric, by, group), each in found.items():
                    cell = Cell(who, name, metric.name, metric.decision, size, by, group)
                    scores[cell] = each
                    if size is None and by is None and each.resampled and _shown(metric):
                        for label, mine in active.items():
                            scores[replace(cell, by="activity", group=label)] = each.of(mine)
    if not scores:
        raise InvalidValueError("splits: no scenario has a task to score")
    info = about.describe(splits, contenders, checked, options)
    return Report(
        models=list(models),
        floors=list(trivial),
        resamples=resamples,
        seed=seed,
        curve_support=max(sizes, default=None),
        info=info | {"tasks": tasks, "curve_tasks": curve_tasks},
        _calibrations=run.calibrations,
        _scores=scores,
    )


def _shown(metric: Metric) -> bool:
    return any(metric.name == name for name, _ in HEADLINE)


@dataclass(frozen=True)
class _Draw:
    """One draw of a scenario's tasks: as a model sees it, and what it is asked."""

    number: int
    users: NDArray[np.int64]
    tasks: TaskSet
    whole: TaskSet
    targets: Floats
    offsets: NDArray[np.int64]
    items: NDArray[np.int32]


def _drawn(
    scenario: Scenario,
    draws: int,
    size: int | None,
    ids: NDArray[np.int64],
    history: int,
    hidden: float,
) -> Iterator[_Draw]:
    for draw in range(draws if scenario.draws is None else min(draws, scenario.draws)):
        tasks = scenario.tasks(draw, support_size=size, history=history)
        whole = tasks if size is None else scenario.tasks(draw, history=history)
        rows, offsets = tasks.take(ids).query()
        yield _Draw(
            draw,
            scenario.users[ids],
            tasks.without_answers(hidden).take(ids),
            whole.take(ids),
            tasks.targets[rows].astype(np.float64),
            offsets,
            tasks.item_index[rows],
        )


Key = tuple[Metric, str | None, str | None]


class _Rated:
    """Scoring of predicted ratings."""

    def __init__(
        self,
        names: Sequence[str] | None,
        scale: Scale,
        relevant: float,
        popularity: groups.Groups,
        seed: int,
    ) -> None:
        self.names, self.scale, self.relevant = names, scale, relevant
        self.popularity, self.seed = popularity, seed
        self.calibrations: dict[tuple[str, str], Calibration] = {}

    def resolve(self, distribution: bool) -> list[Metric]:
        return resolve(self.names, self.scale, distribution=distribution)

    def start(self, drawn: Sequence[_Draw], *, whole: bool) -> None:
        self.drawn, self.whole = drawn, whole
        #: Denominators depend on the targets alone: one copy serves all models.
        self.shared: dict[tuple[str, str | None], Floats] = {}

    def measure(self, name: str, copies: Sequence[Model], scenario: str) -> dict[Key, Scores]:
        parts: dict[Key, list[list[tuple[Floats, Floats]]]] = {}
        answers: list[Answer] = []
        metrics = self.resolve(gives_distributions(copies[0]))
        pooled = [metric for metric in metrics if metric.name in POOLED and _shown(metric)]
        for copy in copies:
            mine: dict[Key, list[tuple[Floats, Floats]]] = {}
            for draw in self.drawn:
                source = f"{name} on {scenario}"
                stream = np.random.SeedSequence([self.seed, draw.number])
                seed = int(stream.generate_state(1, np.uint64)[0])
                answer = ask(copy, draw.tasks, draw.targets, self.scale, source, seed)
                if self.whole and answer.calibration:
                    answers.append(answer)
                whole = self._score(answer, draw.targets, draw.offsets, metrics)
                for metric, statistics in zip(metrics, whole, strict=True):
                    mine.setdefault((metric, None, None), []).append(statistics)
                if self.whole and pooled:
                    for level, of_items in self.popularity.items():
                        rows = np.flatnonzero(of_items[draw.items])
                        task = np.repeat(np.arange(len(draw.tasks)), np.diff(draw.offsets))
                        counts = np.bincount(task[rows], minlength=len(draw.tasks))
                        part = self._score(
                            answer.take(rows), draw.targets[rows], offsets_of(counts), pooled
                        )
                        for metric, statistics in zip(pooled, part, strict=True):
                            mine.setdefault((metric, "popularity", level), []).append(statistics)
            for key, each in mine.items():
                parts.setdefault(key, []).append(each)
        if answers:
            self.calibrations[name, scenario] = Calibration.of(name, scenario, answers)
        found: dict[Key, Scores] = {}
        for key, seeds in parts.items():
            metric, by, group = key
            denominators = np.stack([below for _, below in seeds[0]])
            # A group that some draw has no row of has no mean over the draws.
            if by is not None and not denominators.any(axis=1).all():
                continue
            known = self.shared.setdefault((metric.name, group), denominators)
            numerators = np.stack([np.stack([above for above, _ in each]) for each in seeds])
            found[key] = Scores(metric, numerators, known)
        return found

    def _score(
        self,
        answer: Answer,
        targets: Floats,
        offsets: NDArray[np.int64],
        metrics: Sequence[Metric],
    ) -> Iterator[tuple[Floats, Floats]]:
        above, below = score(answer, targets, offsets, metrics, self.scale, self.relevant)
        return zip(above, below, strict=True)


class _Ranked:
    """Scoring of rankings of the whole catalogue."""

    def __init__(self, metrics: list[Metric], training: Dataset, relevant: float | None) -> None:
        self.metrics, self.training, self.relevant = metrics, training, relevant
        self.shared = catalogue.Catalogue.of(training)
        self.calibrations: dict[tuple[str, str], Calibration] = {}

    def start(self, drawn: Sequence[_Draw], *, whole: bool) -> None:
        self.shown = [
            catalogue.shown(draw.tasks, draw.whole, draw.users, self.training, self.relevant)
            for draw in drawn
        ]

    def measure(self, name: str, copies: Sequence[Model], scenario: str) -> dict[Key, Scores]:
        source = f"{name} on {scenario}"
        parts = [
            catalogue.rank(copy, self.shown, self.metrics, self.shared, source) for copy in copies
        ]
        return {
            (metric, None, None): catalogue.joined(metric, [part[metric] for part in parts])
            for metric in parts[0]
        }


def _floors(floors: bool | Dataset, training: Dataset, ranking: str) -> dict[str, Any]:
    if floors is False:
        return {}
    ratings = training if floors is True else floors
    if not isinstance(ratings, Dataset):
        raise InvalidTypeError(f"floors: expected a bool or Dataset, got {type(ratings).__name__}")
    if ranking == "catalogue":
        return {"popularity": catalogue.Popularity().fit(ratings)}
    fitted = {name: floor().fit(ratings) for name, floor in FLOORS.items()}
    for floor in fitted.values():
        floor.trained_on_ = Provenance.of(ratings)  # type: ignore[attr-defined]
    return fitted


def _checked(
    contenders: Mapping[str, Sequence[Model]], scenarios: Mapping[str, Scenario]
) -> dict[str, list[bool]]:
    """Refuse models that were trained on what they are tested on; return of which it is known."""
    return {
        name: [
            all(
                leakage.check(name, getattr(copy, "trained_on_", None), scenario)
                for scenario in scenarios.values()
            )
            for copy in copies
        ]
        for name, copies in contenders.items()
    }


def _chosen(splits: Splits, names: Sequence[str] | None) -> dict[str, Scenario]:
    if names is None:
        return dict(splits)
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in splits:
            raise InvalidValueError(f"scenarios: got {name!r}, wanted some of {list(splits)}")
    return {name: splits[name] for name in names}


def _named(model: object, floors: Mapping[str, object]) -> dict[str, Sequence[Model]]:
    """Return models by their name in the report; a class that comes again is numbered."""
    named: dict[str, Any] = {}
    if isinstance(model, Mapping):
        named |= model
    else:
        for one in model if isinstance(model, (list, tuple)) else [model]:
            first = one[0] if isinstance(one, (list, tuple)) and one else one
            base = name = type(first).__name__
            count = 1
            while name in named:
                count += 1
                name = f"{base} {count}"
            named[name] = one
    copies: dict[str, Sequence[Model]] = {}
    for name, one in named.items():
        copies[name] = list(one) if isinstance(one, (list, tuple)) else [one]
        if not copies[name]:
            raise InvalidValueError(f"model: {name} is an empty list, wanted trained copies")
        for copy in copies[name]:
            if not callable(getattr(copy, "predict", None)):
                raise InvalidTypeError(f"model: {name} has no predict(tasks)")
        if len({gives_distributions(copy) for copy in copies[name]}) > 1:
            raise InvalidValueError(f"model: some copies of {name} give distributions, some do not")
        if name in FLOORS or name in floors:
            raise InvalidValueError(f"model: got the name {name!r}, which is that of a floor")
    return copies
