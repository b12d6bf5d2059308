"""Accuracy on MovieLens-100K by time, MovieLens-latest-small and Book-Crossing.

    METAREC_DATA=... python python/benchmarks/datasets.py [NAME ...] [--folds 5] [--draws 2]

The users are dealt into folds, of which each is new in turn. The same models everywhere, with the
defaults of the library: nothing is set for a data set. On `splits.validation` of each fold are
learned the number of epochs of MeLU and FineTune, and of ColdStart beside its default, the use of
the scale by `BayesianMF` and the weights of the blend; then every model trains on the whole
training part.
Prints Markdown. Definitions: docs/protocol.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np

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
        models, took, blended = trained(split, options)
        weights.append(blended)
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
        print(f"{name}, fold {fold}: {took} {blended}\n{reports[-1]}", file=sys.stderr, flush=True)
    return markdown(name, data, reports, seconds, weights)


def trained(
    split: mr.split.Splits, options: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """Return the models, the seconds that each took, and the weights of ColdStart in the blend."""
    shared = {"seed": options.seed, "threads": options.threads}
    whole, models, seconds = split.train_and_validation, {}, {}

    def timed(name: str, make: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        models[name] = make()
        seconds[name] = time.perf_counter() - started
        return models[name]

    def chosen(preset: Any, most: dict[str, Any]) -> tuple[Any, int]:
        """Return a model of the epoch that validates best, and its number."""
        model = preset(**most, **shared).fit(split.train, split.validation, progress=False)
        best = min(model.history_, key=lambda row: row["validation"])["epoch"]
        print(f"{preset.__name__}: {best} epochs", file=sys.stderr)
        return model, int(best)

    first, epochs = chosen(mr.ColdStart, {})
    scale = mr.BayesianMF(**shared).fit(split.train, split.validation, progress=False)
    blend = mr.Blend([first, scale]).fit(split.train, split.validation)
    timed("ColdStart", lambda: mr.ColdStart(**shared).fit(whole, progress=False))
    new = timed(
        "ColdStart, epochs chosen",
        lambda: mr.ColdStart(epochs=epochs, **shared).fit(whole, progress=False),
    )
    factors = timed("BayesianMF", lambda: mr.BayesianMF(**shared).fit(whole, progress=False))
    factors.probits_ = scale.probits_
    timed("Blend", lambda: refitted(blend, [new, factors], whole))
    for name, baseline in BASELINES.items():
        timed(name, lambda baseline=baseline: baseline().fit(whole))
    for name, preset in {"MeLU": mr.MeLU, "FineTune": mr.FineTune}.items():
        _, epochs = chosen(preset, {"epochs": MOST_EPOCHS, "patience": PATIENCE})
        model = preset(epochs=epochs, patience=None, **shared)
        timed(name, lambda model=model: model.fit(whole, progress=False))
    return models, seconds, {kind: float(each[0]) for kind, each in blend.weights_.items()}


def refitted(blend: mr.Blend, models: list[Any], data: mr.Dataset) -> mr.Blend:
    """Return the blend, with its weights, of models that were trained on more data since."""
    other = copy(blend)
    other.models, other.trained_on_ = models, models[0].trained_on_
    other._known = np.bincount(data.item, minlength=data.items.rows) > 0
    return other


def markdown(
    name: str,
    data: mr.Dataset,
    reports: list[mr.Report],
    seconds: dict[str, list[float]],
    weights: list[dict[str, float]],
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
    took = (f"{model} {np.mean(each):.1f}" for model, each in seconds.items() if model != "Blend")
    shares = {kind: np.mean([each[kind] for each in weights]) for kind in ("known", "new")}
    lines += [
        "",
        f"Seconds of training: {', '.join(took)}. Weight of ColdStart in the blend: "
        f"{shares['known']:.2f} for known items, {shares['new']:.2f} for new ones.",
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
