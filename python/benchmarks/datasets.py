"""Accuracy on MovieLens-100K by time, MovieLens-latest-small and Book-Crossing.

    METAREC_DATA=... python python/benchmarks/datasets.py [NAME ...] [--folds 5] [--draws 2]

The users are dealt into folds, of which each is new in turn. The same models everywhere, with the
defaults of the library (`MAML`, which has no preset: with those of the accuracy table, and without
dropout like the others): nothing is set for a data set. The preset chooses what it chooses by users
and items of the training part that it pretends new. On `splits.validation` of each fold are learned
the number of epochs of MeLU, MAML and FineTune, and the use of the scale by `BayesianMF`. Every
model trains on the whole training part.
Prints Markdown. Definitions: docs/protocol.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from accuracy_models import LEARNERS

import metarec as mr
from metarec.baselines import ALS, ContentRidge, ItemKNN

Data = Callable[[], mr.Dataset]
#: Data, and how it is split; a fifth of the users is new each time.
DATA: dict[str, tuple[Data, dict[str, Any]]] = {
    "ml-100k": (
        mr.datasets.movielens_100k,
        {"order": "time", "new_items": lambda items: items["year"] >= 1997},
    ),
    "ml-latest-small": (mr.datasets.movielens_latest_small, {}),
    "book-crossing": (lambda: mr.datasets.book_crossing(min_ratings=13), {}),
}
MOST_EPOCHS, PATIENCE = 30, 4
METRICS = ("mae", "rmse", "ndcg@3")
SCENARIOS = ("new_user", "new_item", "new_both")
#: Without dropout, the default.
LEARNED = {name: partial(LEARNERS[name], dropout=0.0) for name in ("MeLU", "MAML", "FineTune")}
BASELINES = {"ALS": ALS, "ItemKNN": ItemKNN, "ContentRidge": ContentRidge}
FLOORS = ("global_mean", "user_mean", "user_median", "bias")
TITLES = {"new_user": "New user", "new_item": "New item", "new_both": "New user and new item"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy on small and sparse data.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(DATA)}; all by default")
    parser.add_argument("--folds", type=int, default=5, help="of users, each new in turn")
    parser.add_argument("--only", type=int, help="so many of the folds")
    parser.add_argument("--draws", type=int, default=2, help="draws of support and query")
    parser.add_argument("--seed", type=int, default=0, help="training seed")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if unknown := set(options.names) - set(DATA):
        parser.error(f"names: {sorted(unknown)}, wanted some of {list(DATA)}")
    if "METAREC_DATA" not in os.environ:
        parser.error("METAREC_DATA: set it to the folder of the data sets")
    for name in options.names or DATA:
        print(measured(name, options), flush=True)


def measured(name: str, options: argparse.Namespace) -> str:
    """Return the tables of one data set."""
    read, how = DATA[name]
    data = read()
    fold_of = np.random.default_rng(0).permutation(data.user_count) % options.folds
    reports, seconds, weights = [], {}, []
    for fold in range(options.only or options.folds):
        split = mr.split.cold_start(data, new_users=fold_of == fold, seed=fold, **how)
        models, took = trained(split, options)
        weights.append(models["ColdStart"].weights_)
        for model, each in took.items():
            seconds.setdefault(model, []).append(each)
        reports.append(
            mr.evaluate(
                models,
                split,
                draws=options.draws,
                metrics=METRICS,
                support_sizes=(),
                scenarios=SCENARIOS,
            )
        )
        print(f"{name}, fold {fold}: {took} {weights[-1]}\n{reports[-1]}", file=sys.stderr)
    return markdown(name, data, reports, seconds, weights)


def trained(
    split: mr.split.Splits, options: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the models, and the seconds that each took."""
    shared = {"seed": options.seed, "threads": options.threads}
    whole, models, seconds = split.train_and_validation, {}, {}

    def fitted(name: str, model: Any, **more: Any) -> None:
        started = time.perf_counter()
        models[name] = model.fit(whole, **more)
        seconds[name] = time.perf_counter() - started

    def epochs(learner: Callable[..., mr.MetaLearner]) -> int:
        """Return the number of the epoch that validates best."""
        model = learner(epochs=MOST_EPOCHS, patience=PATIENCE, **shared)
        model.fit(split.train, split.validation, progress=False)
        return int(min(model.history_, key=lambda row: row["validation"])["epoch"])

    fitted("ColdStart", mr.ColdStart(**shared), progress=False)
    alone = mr.ColdStart(factorisation=False, **shared)
    fitted("ColdStart(factorisation=False)", alone, progress=False)
    scale = mr.BayesianMF(**shared).fit(split.train, split.validation, progress=False)
    factors = mr.BayesianMF(probits=scale.probits_, **shared)
    fitted("BayesianMF", factors, progress=False)
    for name, baseline in BASELINES.items():
        fitted(name, baseline())
    for name, learner in LEARNED.items():
        model = learner(epochs=epochs(learner), patience=None, **shared)
        fitted(name, model, progress=False)
    return models, seconds


def markdown(
    name: str,
    data: mr.Dataset,
    reports: list[mr.Report],
    seconds: dict[str, list[float]],
    weights: list[dict[str, dict[str, float]]],
) -> str:
    """Return the tables of one data set, means over its folds."""
    lines = [f"### {name}", "", f"{data!r}, {len(reports)} folds."]
    for scenario in SCENARIOS:
        there = [report for report in reports if scenario in report.scenarios]
        if not there:
            continue
        tasks = sum(report.interval("bias", scenario, "mae").tasks for report in there)
        lines += [
            "",
            f"**{TITLES[scenario]}** ({tasks:,} tasks in {len(there)} folds)",
            "",
            "| | MAE | RMSE | nDCG@3 | MAE − bias | RMSE − bias | nDCG@3 − bias |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for model in (*there[0].models, *FLOORS):
            values = [
                np.mean([report.interval(model, scenario, metric).value for report in there])
                for metric in METRICS
            ]
            cells = [f"{value:.3f}" for value in values]
            cells += ["" if model == "bias" else paired(there, model, scenario, m) for m in METRICS]
            lines.append(f"| {model} | {' | '.join(cells)} |")
    took = (f"{model} {np.mean(each):.1f}" for model, each in seconds.items())
    shares = (
        f"{', '.join(f'{np.mean([w[kind][part] for w in weights]):.2f}' for part in names)} for "
        f"{kind} items"
        for kind, names in weights[0].items()
    )
    lines += [
        "",
        f"Seconds of training: {', '.join(took)}.",
        f"Weights of the network, the factorisation and its offsets: {'; '.join(shares)}.",
        "",
    ]
    return "\n".join(lines)


def paired(reports: list[mr.Report], model: str, scenario: str, metric: str) -> str:
    """Return the difference of the best decision from bias, unrounded, with its interval.

    Folds of new users share nobody, so their intervals are of independent means; existing users
    are in most folds, and there the mean width counts.
    """
    rows = [
        next(
            row
            for row in report.compare(model, "bias", metrics=[metric], scenarios=[scenario]).rows
            if row["decision_b"] == "mean"
        )
        for report in reports
    ]
    value = np.mean([row["difference"] for row in rows])
    halves = np.array([(row["high"] - row["low"]) / 2 for row in rows])
    half = halves.mean() if scenario == "new_item" else np.hypot.reduce(halves) / len(halves)
    return f"{value:+z.3f} ± {half:.3f}"


if __name__ == "__main__":
    main()
