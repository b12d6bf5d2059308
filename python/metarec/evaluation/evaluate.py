"""Score trained models on the scenarios of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metarec.arrays import as_count
from metarec.baselines.popularity import Popularity
from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.evaluation import about, catalogue, groups, leakage
from metarec.evaluation.answer import gives_distributions
from metarec.evaluation.floors import FLOORS
from metarec.evaluation.metrics import Floats, Scale
from metarec.evaluation.report import Report
from metarec.evaluation.scores import Cell, Measured, Scores, measure_cells
from metarec.evaluation.scoring import Model, Ranked, Rated, drawn_of, is_headline

if TYPE_CHECKING:
    from metarec.scenario import Scenario
    from metarec.splits import Splits

SUPPORT_SIZES = (0, 1, 3, 5, 10, 20, 30)
RANKINGS = ("query", "catalogue")


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
        ``score_catalogue(tasks)``, ``[tasks, items]``, which is faster, and needs no `predict`.
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
    models = _named(model, trivial, ranking)
    run: Ranked | Rated
    if ranking == "catalogue":
        run = Ranked(catalogue.resolve(metrics), training, relevant)
    else:
        scale = Scale.of(training.rating, *training.scale)
        least = 0.8 * scale.high if relevant is None else relevant
        run = Rated(metrics, scale, least, groups.popularity(training), seed)
        run.resolve(False)
    contenders = models | {name: [floor] for name, floor in trivial.items()}
    chosen = _chosen(splits, scenarios)
    checked = _checked(contenders, chosen)

    measured: dict[Cell, Measured] = {}
    resampled: dict[Cell, Floats] = {}
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
            drawn = list(drawn_of(scenario, draws, size, ids, before, training.scale[0]))
            run.start(drawn, whole=size is None)
            scores: dict[Cell, Scores] = {}
            for who, copies in contenders.items():
                found = run.measure(who, copies, name)
                for (metric, by, group), each in found.items():
                    cell = Cell(who, name, metric.name, metric.decision, size, by, group)
                    scores[cell] = each
                    if size is None and by is None and each.resampled and is_headline(metric):
                        for label, mine in active.items():
                            scores[replace(cell, by="activity", group=label)] = each.of(mine)
            values, of_resamples = measure_cells(scores, resamples, seed)
            measured |= values
            resampled |= of_resamples
    if not measured:
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
        _measured=measured,
        _resampled=resampled,
    )


def _floors(floors: bool | Dataset, training: Dataset, ranking: str) -> dict[str, Any]:
    if floors is False:
        return {}
    ratings = training if floors is True else floors
    if not isinstance(ratings, Dataset):
        raise InvalidTypeError(f"floors: expected a bool or Dataset, got {type(ratings).__name__}")
    if ranking == "catalogue":
        return {"popularity": Popularity().fit(ratings)}
    return {name: floor().fit(ratings) for name, floor in FLOORS.items()}


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


def _named(model: object, floors: Mapping[str, object], ranking: str) -> dict[str, Sequence[Model]]:
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
            ranks = ranking == "catalogue" and callable(getattr(copy, "score_catalogue", None))
            if not ranks and not callable(getattr(copy, "predict", None)):
                raise InvalidTypeError(f"model: {name} has no predict(tasks)")
        if len({gives_distributions(copy) for copy in copies[name]}) > 1:
            raise InvalidValueError(f"model: some copies of {name} give distributions, some do not")
        if name in FLOORS or name in floors:
            raise InvalidValueError(f"model: got the name {name!r}, which is that of a floor")
    return copies
