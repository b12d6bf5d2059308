"""Choosing options on validation scenarios. Needs Optuna: `pip install metarec[tune]`."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from metarec.arrays import as_count
from metarec.errors import (
    InvalidTypeError,
    InvalidValueError,
    MissingDependencyError,
    NumericalError,
)
from metarec.objective import Objective
from metarec.progress import progress_bar
from metarec.space import Space
from metarec.training import Progress
from metarec.tuning import Tuning

if TYPE_CHECKING:
    from metarec.splits import Splits


def tune(
    model: Any,
    splits: Splits,
    space: Mapping[str, Any],
    *,
    trials: int = 30,
    draws: int = 2,
    metric: str = "rmse",
    scenarios: Sequence[str] | Mapping[str, float] | None = None,
    ranking: str = "query",
    seed: int = 0,
    timeout: float | None = None,
    progress: Progress = "auto",
) -> Tuning:
    """Find the options that do best on the validation scenarios; the test is not looked at.

    Every trial trains a copy of the model on ``splits.train`` and scores it on
    ``splits.validation``, as `evaluate` does: the metric less that of the floor `bias` on the same
    draws, a mean over the scenarios. The first trial has the model's own options, as far as the
    space has them; the next are proposed by a tree-structured Parzen estimator (Optuna).

    Parameters
    ----------
    model
        An estimator, which stays as it is: ``get_params``, ``set_params``, ``fit`` and ``predict``.
    splits : Splits
        From `mr.split`, with validation. Nothing is read of it but ``splits.validation``.
    space : mapping
        Of every option to tune, by its name in `get_params`, such as ``"lr"`` or
        ``"algorithm__inner_lr"``: bounds ``(low, high)``, ``(low, high, "log")`` to search by
        ratios, or a list of choices. Two int bounds give ints.
    trials : int
        At most so many models are trained. The first ten are random but for the very first.
    draws : int
        Draws of support and query of every scenario that a trial is scored on.
    metric : str
        As in `evaluate`, such as ``"mae"`` or ``"ndcg@3"``; whether less or more is better follows.
        Of a model that gives distributions, the decision that is best for it. `"nll"`, which `bias`
        does not have, is taken as it is.
    scenarios : names, weights by name, or None
        Which to take the mean over; None: all that have tasks, alike.
    ranking : "query" or "catalogue"
        As in `evaluate`. Of the whole catalogue the floor is `popularity`.
    seed : int
        Of the proposals. The model's own `seed` is an option of the model.
    timeout : float, optional
        Seconds after which no trial begins; at least one is made.
    progress : "auto", True or False
        A progress bar; "auto": where somebody sees it.

    Returns
    -------
    Tuning
        ``best``, an unfitted model, ``options``, ``value`` and ``trials``.

    Raises
    ------
    MissingDependencyError
        Optuna is not installed.
    InvalidTypeError, InvalidValueError
        An argument cannot be used, or an option has no such value.
    NumericalError
        Every trial failed. A trial whose numbers do not stay finite is recorded as failed, and the
        others go on.

    Notes
    -----
    The same seed gives the same trials and values, unless `timeout` ends them. Models are fitted
    without validation, so they do not stop early: tune ``epochs``. The best of many trials is
    better on validation than it will be on the test. ``best`` can then be fitted to
    ``splits.train_and_validation`` and scored on the test once.

    References
    ----------
    Bergstra, Bardenet, Bengio and Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011.
    Akiba, Sano, Yanase, Ohta and Koyama, "Optuna", KDD 2019.

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(users=200, items=100, seed=0), seed=0)
    >>> space = {"rank": [2, 4], "penalty": (1.0, 30.0, "log")}
    >>> tuning = mr.tune(mr.baselines.ALS(seed=0), splits, space, trials=3, draws=1)
    >>> sorted(tuning.options), len(tuning.trials)
    (['penalty', 'rank'], 3)
    >>> final = tuning.best.fit(splits.train_and_validation)
    """
    # Nothing but this is read of `splits`, so that no test rating can choose anything.
    validation = _validation(splits)
    optuna = _optuna()
    searched = Space(space)
    _check(model, searched)
    trials, seed = as_count(trials, "trials", 1), as_count(seed, "seed")
    if timeout is not None and not (isinstance(timeout, Real) and timeout > 0):
        raise InvalidValueError(f"timeout: got {timeout!r}, wanted seconds above 0, or None")
    objective = Objective(validation, metric, scenarios, ranking, draws)
    study = _study(searched, model, objective.loss, seed)

    rows: list[dict[str, Any]] = []
    best: dict[str, Any] | None = None
    started = time.perf_counter()
    with progress_bar(progress, f"tune {type(model).__name__}", "best") as report:
        while len(rows) < trials:
            if rows and timeout is not None and time.perf_counter() - started >= timeout:
                break
            row = _trial(study, model, searched, objective) | {"trial": len(rows)}
            rows.append(row)
            if row["value"] is not None and (best is None or objective.better(row, best)):
                best = row
            if report is not None:
                report(len(rows) / trials, np.nan if best is None else best["value"])
    if best is None:
        raise NumericalError(
            f"space: all {len(rows)} trials failed, the last with: {rows[-1]['error']}"
        )
    call = {"trials": trials, "draws": draws, "metric": metric, "scenarios": scenarios}
    call |= {"ranking": ranking, "seed": seed}
    told = ", ".join(f"{name}={value!r}" for name, value in call.items())
    info = objective.info | {
        "versions": objective.info["versions"] | {"optuna": optuna.__version__},
        "seeds": {"tune": seed, "model": getattr(model, "seed", None)},
        "space": searched.described(),
        "model": repr(model),
        "call": f"mr.tune({model!r}, splits, {dict(space)!r}, {told})",
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
    }
    chosen = {name: best[name] for name in searched}
    return Tuning(_with(model, chosen), chosen, best["value"], rows, info, objective.loss)


def _trial(study: Any, model: Any, space: Space, objective: Objective) -> dict[str, Any]:
    """Train and score one proposal, tell the study, and return the row of it."""
    started, trial = time.perf_counter(), study.ask()
    options = space.suggest(trial)
    row: dict[str, Any] = dict.fromkeys(("trial", "state", "value", *objective.weights))
    error = ""
    try:
        differences = objective.differences(_with(model, options))
    except NumericalError as failure:
        study.tell(trial, state=_optuna().trial.TrialState.FAIL)
        row["state"], error = "failed", str(failure)
    else:
        row |= {"state": "complete", "value": objective.mean(differences), **differences}
        study.tell(trial, row["value"])
    return row | {"seconds": time.perf_counter() - started, **options, "error": error}


def _with(model: Any, options: Mapping[str, Any]) -> Any:
    """Return an unfitted copy of a model with other options."""
    copy = type(model)(**deepcopy(model.get_params(deep=False)))
    return copy.set_params(**deepcopy(dict(options)))


def _study(space: Space, model: Any, loss: bool, seed: int) -> Any:
    optuna = _optuna()
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sampler = optuna.samplers.TPESampler(seed=seed)
        study = optuna.create_study(sampler=sampler, direction="minimize" if loss else "maximize")
    finally:
        optuna.logging.set_verbosity(level)
    study.enqueue_trial(space.places(model.get_params()))
    return study


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingDependencyError("tune needs optuna: pip install 'metarec[tune]'") from error
    return optuna


# Checking arguments


def _validation(splits: Splits) -> Splits:
    if not hasattr(splits, "validation"):
        raise InvalidTypeError(
            f"splits: expected Splits, from mr.split, got {type(splits).__name__}"
        )
    if splits.validation is None:
        raise InvalidValueError("splits: has no validation; split with validation=0.1")
    return splits.validation


def _check(model: Any, space: Space) -> None:
    wanted = ("get_params", "set_params", "fit", "predict")
    if isinstance(model, type) or not all(callable(getattr(model, n, None)) for n in wanted):
        what = model.__name__ if isinstance(model, type) else type(model).__name__
        kind = "the class" if isinstance(model, type) else "an object of"
        raise InvalidTypeError(
            f"model: expected an estimator with {', '.join(wanted)}, got {kind} {what}"
        )
    try:
        _with(model, space.first)
    except ValueError as error:
        raise InvalidValueError(f"space: {error}") from error
