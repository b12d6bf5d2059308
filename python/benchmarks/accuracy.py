"""Accuracy on MovieLens-1M, MeLU's published split: the command behind the README's table.

    METAREC_DATA=... python python/benchmarks/accuracy.py [--seeds 0 1 2] [--draws 5] [--all]

How many epochs a model trains is chosen on `splits.validation`, with the first seed; then every
seed trains so long on the whole training part and is scored on the draws 0 ... of the test
scenarios. Nothing is chosen on these.
Prints Markdown. Definitions: docs/protocol.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import metarec as mr

# What was chosen on validation; all else is default. `epochs` fixes their number; without it
# validation chooses.
OPTIONS: dict[str, dict[str, Any]] = {
    "MeLU": {},
    "FineTune": {},
}
# Of those that --all adds: MeLU's network, five inner steps on the decision layers, Adam.
INNER = {"inner_lr": 0.01, "inner_steps": 5}
MOST_EPOCHS, PATIENCE = 30, 4

MODELS: dict[str, Callable[..., mr.MetaLearner]] = {"MeLU": mr.MeLU, "FineTune": mr.FineTune}
OTHERS: dict[str, Any] = {
    "MAML, first order": lambda: mr.MAML(order=1, **INNER),
    "ANIL": lambda: mr.ANIL(**INNER),
    "Reptile": lambda: mr.Reptile(**INNER),
    "Meta-SGD": lambda: mr.MetaSGD(**INNER),
}
METRICS = ("mae", "rmse", "ndcg@3")
COLUMNS = (("mae", "mean"), ("mae", "rounded"), ("rmse", "mean"), ("ndcg@3", "mean"))
FLOORS = ("global_mean", "user_mean", "user_median", "bias")
# MAE of Lee et al., KDD 2019. Their draws are not published.
PUBLISHED = {"new_user": 0.7854, "new_item": 0.9275, "new_both": 0.9235}
TITLES = {"new_user": "New user", "new_item": "New item", "new_both": "New user and new item"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy on MeLU's split of MovieLens-1M.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="training seeds")
    parser.add_argument("--draws", type=int, default=5, help="draws of support and query")
    parser.add_argument("--all", action="store_true", help="the other meta-algorithms too")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if "METAREC_DATA" not in os.environ:
        parser.error("METAREC_DATA: set it to the folder that has ml-1m/ with melu_splits/")

    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    makers = {name: _maker(name, options.threads) for name in MODELS}
    if options.all:
        makers |= {name: _maker(name, options.threads) for name in OTHERS}

    trained, facts = {}, {}
    for name, make in makers.items():
        epochs = OPTIONS.get(name, {}).get("epochs") or _best_epochs(make, splits, options.seeds[0])
        seconds = []
        for seed in options.seeds:
            started = time.perf_counter()
            model = make(seed=seed, epochs=epochs).fit(splits.train_and_validation, progress=False)
            seconds.append(time.perf_counter() - started)
            trained[f"{name}/{seed}"] = model
        facts[name] = f"{epochs} epochs, {np.mean(seconds):.1f} s a training run"
        _log(f"{name}: {facts[name]}")

    report = mr.evaluate(trained, splits, draws=options.draws, metrics=METRICS, support_sizes=())
    print(_markdown(report, list(makers), facts, options))


def _maker(name: str, threads: int | None) -> Callable[..., mr.MetaLearner]:
    chosen = {"patience": None, "threads": threads} | OPTIONS.get(name, {})
    if name in MODELS:
        return lambda **more: MODELS[name](**(chosen | more))
    return lambda **more: mr.MetaLearner(algorithm=OTHERS[name](), **(chosen | more))


def _best_epochs(make: Callable[..., mr.MetaLearner], splits: mr.split.Splits, seed: int) -> int:
    model = make(seed=seed, epochs=MOST_EPOCHS, patience=PATIENCE)
    model.fit(splits.train, validation=splits.validation, progress=False)
    return int(min(model.history_, key=lambda row: row["validation"])["epoch"])


def _markdown(
    report: mr.Report, names: list[str], facts: dict[str, str], options: argparse.Namespace
) -> str:
    seeds = options.seeds
    lines = [
        f"MovieLens-1M, MeLU's published split, {options.draws} draws, "
        f"mean of {len(seeds)} training seeds. Brackets: 95 %",
        "bootstrap interval over users of the paired difference from `bias` on the same draws, "
        "the widest over the seeds.",
    ]
    for scenario in report.scenarios:
        tasks = report.interval("bias", scenario, "mae").tasks
        lines += [
            "",
            f"**{TITLES[scenario]}** ({tasks:,} users)",
            "",
            "| | MAE | MAE, rounded | RMSE | nDCG@3 | MAE − bias | RMSE − bias | nDCG@3 − bias |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for name in (*names, *FLOORS):
            runs = [name] if name in FLOORS else [f"{name}/{seed}" for seed in seeds]
            cells = [_mean(report, runs, scenario, *column) for column in COLUMNS]
            if name in FLOORS:
                cells += [""] * len(METRICS)
            else:
                cells += [_paired(report, runs, scenario, metric) for metric in METRICS]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append(f"| MeLU as published | {PUBLISHED[scenario]:.4f} | | | | | | |")
    lines += ["", "; ".join(f"{name}: {fact}" for name, fact in facts.items()) + "."]
    return "\n".join(lines)


def _mean(report: mr.Report, runs: list[str], scenario: str, metric: str, decision: str) -> str:
    values = [report.interval(run, scenario, metric, decision=decision).value for run in runs]
    return f"{np.mean(values):.3f}"


def _paired(report: mr.Report, runs: list[str], scenario: str, metric: str) -> str:
    rows = [
        row
        for run in runs
        for row in report.compare(run, "bias", metrics=[metric], scenarios=[scenario]).rows
        if row["decision"] == "mean"
    ]
    difference = np.mean([row["difference"] for row in rows])
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    return f"{difference:+z.3f} [{low:+z.3f}, {high:+z.3f}]"


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
