"""Score trained models on the scenarios of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.evaluation.floors import FLOORS, Floor
from metarec.evaluation.metrics import Floats, Metric, Scale, checked_predictions, resolve, score
from metarec.evaluation.report import Report
from metarec.evaluation.scores import Cell, Scores

if TYPE_CHECKING:
    from metarec.dataset import Dataset
    from metarec.scenario import Scenario
    from metarec.splits import Splits
    from metarec.tasks import TaskSet

SUPPORT_SIZES = (0, 1, 3, 5, 10, 20, 30)


class Model(Protocol):
    """Anything that predicts the query rows of a task set from its support."""

    def predict(self, tasks: Any, /) -> Any:
        """Return one number a query row, tasks in order."""


def evaluate(
    model: Model | Sequence[Model] | Mapping[str, Model],
    splits: Splits,
    *,
    draws: int = 5,
    metrics: Sequence[str] | None = None,
    support_sizes: Sequence[int] = SUPPORT_SIZES,
    scenarios: Sequence[str] | None = None,
    history: int = 0,
    floors: bool | Dataset = True,
    relevant: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Score trained models on every scenario, with bootstrap intervals, beside the floors.

    Parameters
    ----------
    model
        A model, several, or several by name; without a name a model has that of its class. All
        that is asked of it is ``predict(tasks)``: one number a query row, clipped to the scale.
    splits
        From `mr.split`.
    draws
        Support and query are drawn this many times; a split by time has one draw.
    metrics
        Names such as ``["mae", "ndcg@3"]``; None: all that fit the ratings. `mae` and `rmse` are
        given for the prediction (decision `"mean"`) and for its nearest star (`"rounded"`),
        `accuracy` for the nearest star.
    support_sizes
        Sizes of the curve over support size: the first s rows of the same support, the same
        query, only tasks whose support has at least ``max(support_sizes)`` rows. 0 is before
        adaptation; empty: no curve.
    scenarios
        Names of those wanted; None: all.
    history
        In `new_item`: up to this many of the user's own training ratings, put before the support.
    floors
        Whether to score the trivial floors too: `global_mean`, `user_mean`, `user_median`, `bias`;
        or the ratings to fit them on. They are fitted on the whole training part, validation
        included: they choose nothing.
    relevant
        The rating from which an item is relevant; None: four fifths of the scale's top (4 of 5).
    resamples
        Bootstrap resamples of the users.
    seed
        Of the bootstrap.

    Returns
    -------
    Report
        A table when shown; nothing is printed.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An argument cannot be used, or `predict` returned another number of rows.
    NumericalError
        A prediction is not finite.

    Notes
    -----
    Scores **one trained model** on all draws: the spread over draws is not that over training
    seeds. Intervals are 95 % percentile bootstraps over users, a user's draws together. `predict`
    is called for every draw of every scenario and support size.

    Examples
    --------
    >>> report = mr.evaluate([model, baseline], splits)  # doctest: +SKIP
    >>> report.compare("MeLU", "bias", metrics=["mae"])  # doctest: +SKIP
    """
    draws, resamples = as_count(draws, "draws", 1), as_count(resamples, "resamples", 1)
    history, seed = as_count(history, "history"), as_count(seed, "seed")
    sizes = list(dict.fromkeys(as_count(size, "support_sizes") for size in support_sizes))
    if not hasattr(splits, "train_and_validation"):
        raise InvalidTypeError(
            f"splits: expected Splits, from mr.split, got {type(splits).__name__}"
        )
    training = splits.train_and_validation
    scale = Scale.of(training.rating, *training.scale)
    if relevant is None:
        relevant = 0.8 * scale.high
    elif not np.isfinite(relevant):
        raise InvalidValueError(f"relevant: got {relevant}, wanted a rating")
    models = _named(model)
    trivial: dict[str, Floor] = {}
    if floors is not False:
        ratings = training if floors is True else floors
        trivial = {name: floor().fit(ratings) for name, floor in FLOORS.items()}
    wanted = resolve(metrics, scale)
    scores: dict[Cell, Scores] = {}
    for scenario_name, scenario in _chosen(splits, scenarios).items():
        before = history if scenario_name == "new_item" else 0
        everyone = np.arange(len(scenario))
        for size in (None, *sizes):
            ids = everyone if size is None else scenario.eligible(max(sizes))
            if not len(ids):
                continue
            task_sets = _task_sets(scenario, draws, size, ids, before)
            denominators: Floats | None = None
            for name, candidate in {**models, **trivial}.items():
                numerators, counted = _score(
                    candidate, f"{name} on {scenario_name}", task_sets, wanted, scale, relevant
                )
                # They depend on the targets alone: one copy serves all models.
                denominators = counted if denominators is None else denominators
                for index, metric in enumerate(wanted):
                    cell = Cell(name, scenario_name, metric.name, metric.decision, size)
                    scores[cell] = Scores(metric, numerators[index], denominators[index])
    if not scores:
        raise InvalidValueError("splits: no scenario has a task to score")
    return Report(
        models=list(models),
        floors=list(trivial),
        resamples=resamples,
        seed=seed,
        curve_support=max(sizes, default=None),
        _scores=scores,
    )


def _score(
    model: Model,
    source: str,
    task_sets: Sequence[TaskSet],
    metrics: Sequence[Metric],
    scale: Scale,
    relevant: float,
) -> tuple[Floats, Floats]:
    """Return ``[metrics, draws, tasks]`` of one model; every draw has the same users in order."""
    shape = (len(metrics), len(task_sets), len(task_sets[0]))
    numerators, denominators = np.empty(shape), np.empty(shape)
    for draw, tasks in enumerate(task_sets):
        targets, offsets = tasks.query_targets()
        predictions = checked_predictions(model.predict(tasks), len(targets), source)
        numerators[:, draw], denominators[:, draw] = score(
            predictions, targets.astype(np.float64), offsets, metrics, scale, relevant
        )
    return numerators, denominators


def _task_sets(
    scenario: Scenario, draws: int, size: int | None, tasks: NDArray[np.int64], history: int
) -> list[TaskSet]:
    """Return every draw of some of a scenario's tasks."""
    number = draws if scenario.draws is None else min(draws, scenario.draws)
    return [
        scenario.tasks(draw, support_size=size, history=history).take(tasks)
        for draw in range(number)
    ]


def _chosen(splits: Splits, names: Sequence[str] | None) -> dict[str, Scenario]:
    if names is None:
        return dict(splits)
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in splits:
            raise InvalidValueError(f"scenarios: got {name!r}, wanted some of {list(splits)}")
    return {name: splits[name] for name in names}


def _named(model: object) -> dict[str, Model]:
    """Return models by their name in the report; a class that comes again is numbered."""
    named: dict[str, Any] = {}
    if isinstance(model, Mapping):
        named |= model
    else:
        for one in model if isinstance(model, (list, tuple)) else [model]:
            base = name = type(one).__name__
            count = 1
            while name in named:
                count += 1
                name = f"{base} {count}"
            named[name] = one
    for name, one in named.items():
        if not callable(getattr(one, "predict", None)):
            raise InvalidTypeError(f"model: {name} has no predict(tasks)")
        if name in FLOORS:
            raise InvalidValueError(f"model: got the name {name!r}, which is that of a floor")
    return named
