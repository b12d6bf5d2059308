"""Ranking for new users from plays alone: hetrec-lastfm, the full catalogue.

    METAREC_DATA=... python python/benchmarks/listening.py [--draws 2]

New users with 1, 3, 5 and 10 known artists; all 17,632 artists less the known ones are ranked.
Every model's options are those of its grid with the best nDCG@10 on validation, the mean over the
support sizes and over three times a quarter of the training users; then it trains on all of them.
Prints Markdown. Definitions: docs/protocol.md. Needs the extra metarec[baselines].
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

import metarec as mr
from metarec.baselines import ImplicitALS, ItemKNN, Popularity

SIZES = (1, 3, 5, 10)
METRICS = ("ndcg@10", "hr@10")


def main() -> None:
    parser = argparse.ArgumentParser(description="Full-catalogue ranking for new listeners.")
    parser.add_argument("--draws", type=int, default=2, help="draws of support and query")
    parser.add_argument("--validate", action="store_true", help="without the test")
    options = parser.parse_args()
    if "METAREC_DATA" not in os.environ:
        parser.error("METAREC_DATA: set it to the folder that has hetrec-lastfm/")
    splits = divided(mr.datasets.hetrec_lastfm(), 0.2, seed=0)
    training = splits.train_and_validation
    folds = [divided(training, 0.25, seed=seed) for seed in (1, 2, 3)]
    chosen = {name: best(name, make, grid, folds) for name, (make, grid) in MODELS.items()}
    if options.validate:
        return
    models = {name: make(training, chosen[name]) for name, (make, _) in MODELS.items()}
    print(markdown(scored(models, splits, options.draws), chosen))


def divided(data: mr.Dataset, new_users: float, seed: int) -> mr.split.Splits:
    return mr.split.cold_start(
        data, new_users=new_users, new_items=0.0, min_ratings=20, max_ratings=None, seed=seed
    )


def scored(models: Mapping[str, Any], splits: mr.split.Splits, draws: int) -> mr.Report:
    return mr.evaluate(
        models,
        splits,
        draws=draws,
        metrics=METRICS,
        support_sizes=SIZES,
        scenarios=["new_user"],
        ranking="catalogue",
        floors=False,
    )


def best(name: str, make: Any, grid: Mapping[str, Any], folds: Sequence[Any]) -> dict[str, Any]:
    """Return the options with the best nDCG@10 on validation."""
    tried = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    if len(tried) == 1:
        return tried[0]
    values = []
    for each in tried:
        of_folds = []
        for fold in folds:
            report = scored({name: make(fold.train_and_validation, each)}, fold, 1)
            intervals = [
                report.interval(name, "new_user", METRICS[0], support_size=size) for size in SIZES
            ]
            of_folds.append([interval.value for interval in intervals])
        values.append(np.mean(of_folds))
        found = np.round(np.mean(of_folds, 0), 4)
        print(f"{name} {each}: {values[-1]:.4f} {found}", file=sys.stderr, flush=True)
    return tried[int(np.argmax(values))]


Make = Callable[[mr.Dataset, dict[str, Any]], Any]
OURS = ("ColdStart", "ImplicitColdStart, ids", "ImplicitColdStart")
_CLOSED: dict[str, Any] = {"rank": (48, 64, 96), "power": (0.35, 0.4), "growth": (0.001, 0.002)}
MODELS: dict[str, tuple[Make, dict[str, Any]]] = {
    "Popularity": (lambda data, options: Popularity().fit(data), {}),
    "ItemKNN": (
        lambda data, options: ItemKNN(similarity="cosine", **options).fit(data),
        {"shrinkage": (3.0, 10.0, 20.0, 30.0, 50.0), "neighbours": (5, None)},
    ),
    "ImplicitALS": (
        lambda data, options: ImplicitALS(**options).fit(data),
        {"rank": (16, 32), "alpha": (1.0, 3.0, 10.0), "penalty": (3.0, 10.0, 30.0)},
    ),
    # Of that grid the best with ten known artists, where the one above falls behind.
    "ImplicitALS, alpha 10": (
        lambda data, options: ImplicitALS(**options).fit(data),
        {"rank": (16,), "alpha": (10.0,), "penalty": (30.0,)},
    ),
    "ColdStart": (
        lambda data, options: mr.ColdStart(seed=0, **options).fit(data, progress=False),
        {"attention": (0,), "negatives": (mr.Negatives(),)},
    ),
    "ImplicitColdStart, ids": (
        lambda data, options: mr.ImplicitColdStart(content=0, **options).fit(data),
        _CLOSED,
    ),
    "ImplicitColdStart": (
        lambda data, options: mr.ImplicitColdStart(**options).fit(data),
        _CLOSED,
    ),
}


def markdown(report: mr.Report, chosen: Mapping[str, Mapping[str, Any]]) -> str:
    """Return both metrics by support size, and the paired differences of the last models."""
    tasks = report.interval(report.models[0], "new_user", METRICS[0]).tasks
    lines = [f"hetrec-lastfm, {tasks} new users, nDCG@10 / HR@10 by known artists.", ""]
    head = " | ".join(f"{size}" for size in SIZES)
    lines += [f"| | {head} | all | options |", "|---|" + "---:|" * (len(SIZES) + 1) + "---|"]
    for model in report.models:
        cells = [
            " / ".join(
                f"{report.interval(model, 'new_user', metric, support_size=size).value:.3f}"
                for metric in METRICS
            )
            for size in (*SIZES, None)
        ]
        told = ", ".join(f"{key} {value}" for key, value in chosen[model].items())
        lines.append(f"| {model} | {' | '.join(cells)} | {told} |")
    others = [model for model in report.models if model not in OURS]
    for metric in METRICS:
        lines += ["", f"Paired differences in {metric}:", ""]
        lines += [f"| | {head} |", "|---|" + "---:|" * len(SIZES)]
        for model in report.models[len(others) :]:
            for other in others:
                found = report.compare(model, other, metrics=[metric], by_support_size=True).rows
                rows = {row["support_size"]: row for row in found}
                cells = [
                    f"{rows[size]['difference']:+z.3f} [{rows[size]['low']:+z.3f}, "
                    f"{rows[size]['high']:+z.3f}]"
                    for size in SIZES
                ]
                lines.append(f"| {model} − {other} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
