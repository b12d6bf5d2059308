"""What dropout and counts are worth, told on validation alone.

    METAREC_DATA=... python python/benchmarks/accuracy_choices.py [dropout] [counts] [--seeds 0 1 2]

The tables of docs/tuning.md and docs/accuracy.md, as Markdown: the least RMSE of an epoch with each
dropout, and the network of `ColdStart` with and without counts. No test scenario is touched.
"""

import argparse

import numpy as np
from accuracy_models import DROPOUTS, Trainer

import metarec as mr

CHOICES = ("dropout", "counts")
DECISIONS = (("mae", "median"), ("rmse", "mean"), ("ndcg@3", "gain"))
HISTORY = 200


def main() -> None:
    parser = argparse.ArgumentParser(description="Dropout and counts, on validation.")
    parser.add_argument("choices", nargs="*", help=f"of {', '.join(CHOICES)}; both by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if unknown := set(options.choices) - set(CHOICES):
        parser.error(f"choices: {sorted(unknown)}, wanted some of {CHOICES}")
    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    for choice in options.choices or CHOICES:
        (dropouts if choice == "dropout" else counts)(splits, options)


def dropouts(splits: mr.split.Splits, options: argparse.Namespace) -> None:
    """Print the mean over seeds of the least RMSE, by dropout."""
    trainer = Trainer(splits, options.seeds, options.threads)
    print(f"| dropout | {' | '.join(f'{rate:g}' for rate in DROPOUTS)} |")
    print("|---" + "|---:" * len(DROPOUTS) + "|")
    for name in ("MeLU", "FineTune", "MAML"):
        means = [
            np.mean([trainer.tried(name, rate, seed)[0] for seed in options.seeds])
            for rate in DROPOUTS
        ]
        print(f"| {name} | {' | '.join(f'{mean:.4f}' for mean in means)} |", flush=True)


def counts(splits: mr.split.Splits, options: argparse.Namespace) -> None:
    """Print differences from `bias`, a mean over seeds, with counts and without."""
    validation = splits.validation
    held = mr.split.Splits(validation.data, dict(validation.items()), splits.train.rows)
    found: dict[str, dict[bool, list[list[float]]]] = {}
    for seed in options.seeds:
        for has in (True, False):
            model = mr.ColdStart(
                factorisation=False, counts=has, seed=seed, threads=options.threads
            )
            model.fit(splits.train, progress=False)
            for scenario, values in differences(model, held, options.draws).items():
                found.setdefault(scenario, {}).setdefault(has, []).append(values)
    print("| | MAE | RMSE | nDCG@3 | without: MAE | RMSE | nDCG@3 |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for scenario, by in found.items():
        means = [value for has in (True, False) for value in np.mean(by[has], axis=0)]
        print(f"| {scenario} | {' | '.join(f'{value:+.4f}' for value in means)} |")


def differences(model: mr.ColdStart, splits: mr.split.Splits, draws: int) -> dict[str, list[float]]:
    """Return what a model is better by than `bias`, by scenario."""
    found = {}
    for history in (0, HISTORY):
        report = mr.evaluate(
            model,
            splits,
            draws=draws,
            metrics=[metric for metric, _ in DECISIONS],
            support_sizes=(),
            scenarios=["new_item"] if history else None,
            history=history,
            resamples=1,
        )
        for scenario in report.scenarios:
            found[f"{scenario}, history={history}" if history else scenario] = [
                report.interval("ColdStart", scenario, metric, decision=decision).value
                - report.interval("bias", scenario, metric, decision="mean").value
                for metric, decision in DECISIONS
            ]
    return found


if __name__ == "__main__":
    main()
