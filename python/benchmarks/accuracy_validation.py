"""Whether network and factorisation are better together, told on validation alone.

    METAREC_DATA=... python python/benchmarks/accuracy_validation.py [--seeds 0 1 2] [--draws 3]

Why `ColdStart` is both. They train on `splits.train`. The validation users are halved: the weights,
and how `BayesianMF` uses the scale, are learned on one half and scored on the other, and the other
way round. No test scenario is touched. Prints the mean over halves and seeds, as Markdown.
"""

import argparse
from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np

import metarec as mr

DECISIONS = (("mae", "median"), ("rmse", "mean"), ("ndcg@3", "gain"))
HISTORY = 200


def main() -> None:
    parser = argparse.ArgumentParser(description="Network, BayesianMF and both.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    parts: dict[tuple[str, str], list[tuple[int, list[float]]]] = {}
    for seed in options.seeds:
        for scenario, model, tasks, values in scored(splits, seed, options.draws, options.threads):
            parts.setdefault((scenario, model), []).append((tasks, values))
    print("| scenario | model | MAE − bias | RMSE − bias | nDCG@3 − bias | coverage90 |")
    print("|---|---|---:|---:|---:|---:|")
    for (scenario, model), found in parts.items():
        tasks = [count for count, _ in found]
        *paired, coverage = np.average([values for _, values in found], axis=0, weights=tasks)
        cells = " | ".join(f"{value:+z.4f}" for value in paired)
        print(f"| {scenario} | {model} | {cells} | {coverage:.3f} |")


def scored(
    splits: mr.split.Splits, seed: int, draws: int, threads: int | None
) -> Iterator[tuple[str, str, int, list[float]]]:
    """Yield scenario, model, tasks, and the differences from `bias`, of each half."""
    network = mr.ColdStart(factorisation=False, seed=seed, threads=threads)
    network.fit(splits.train, progress=False)
    first, second = (half(splits, part) for part in (False, True))
    for learned, tested in ((first, second), (second, first)):
        factors = mr.BayesianMF(seed=seed, threads=threads)
        factors.fit(splits.train, learned, progress=False)
        blend = mr.Blend([network, factors]).fit(splits.train, learned)
        models = {"network": network, "BayesianMF": factors, "both": blend}
        for history in (0, HISTORY):
            report = mr.evaluate(
                models,
                tested,
                draws=draws,
                metrics=[*(metric for metric, _ in DECISIONS), "coverage90"],
                support_sizes=(),
                scenarios=["new_item"] if history else None,
                history=history,
                resamples=1,
            )
            for scenario in report.scenarios:
                for model in models:
                    values = [
                        report.interval(model, scenario, metric, decision=decision).value
                        - report.interval("bias", scenario, metric, decision="mean").value
                        for metric, decision in DECISIONS
                    ]
                    coverage = report.interval(model, scenario, "coverage90")
                    name = f"{scenario}, history={history}" if history else scenario
                    yield name, model, coverage.tasks, [*values, coverage.value]


def half(splits: mr.split.Splits, second: bool) -> mr.split.Splits:
    """Return the validation scenarios of half of their users."""
    validation: Any = splits.validation
    mine = (np.random.default_rng(7).random(splits.data.user_count) < 0.5) == second
    scenarios = {}
    for name, scenario in validation.items():
        part = copy(scenario)
        kept = mine[scenario.users]
        part.users, part._counts = scenario.users[kept], scenario._counts[kept]
        tested = np.isin(scenario.data.user[scenario.all_rows], part.users)
        part.all_rows, part._orders = scenario.all_rows[tested], {}
        scenarios[name] = part
    return mr.split.Splits(validation.data, scenarios, splits.train.rows)


if __name__ == "__main__":
    main()
