"""What some options are worth, told on MovieLens-1M's validation alone.

    METAREC_DATA=... python python/benchmarks/accuracy_choices.py [NAME ...] [--seeds 0 1 2]

The tables of docs/tuning.md and docs/accuracy.md, as Markdown: the least RMSE of an epoch with each
dropout, of the learners with two sets of options; the network of `ColdStart` with and without
counts, and with so many tokens; `BayesianMF` with so many samples of as many sweeps. No test
scenario is touched.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from accuracy_models import DROPOUTS, RIVALS, Trainer

import metarec as mr


def network(**options: Any) -> mr.ColdStart:
    return mr.ColdStart(factorisation=False, **options)


Variants = dict[str, tuple[Callable[..., Any], dict[str, Any]]]
VARIANTS: dict[str, Variants] = {
    "counts": {"yes": (network, {}), "no": (network, {"counts": False})},
    "tokens": {"64": (network, {}), "128": (network, {"tokens": 128})},
    "samples": {
        "15 of 90": (mr.BayesianMF, {}),
        "30 of 90": (mr.BayesianMF, {"samples": 30, "interval": 3}),
    },
}
NAMES = ("dropout", *VARIANTS)
DECISIONS = (("mae", "median"), ("rmse", "mean"), ("ndcg@3", "gain"))
HISTORY = 200


def main() -> None:
    parser = argparse.ArgumentParser(description="Options, on validation.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"names: {sorted(unknown)}, wanted some of {NAMES}")
    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    for name in options.names or NAMES:
        if name == "dropout":
            dropouts(splits, options)
        else:
            variants(splits, options, name)


def dropouts(splits: mr.split.Splits, options: argparse.Namespace) -> None:
    """Print the mean over seeds of the least RMSE, by dropout."""
    trainer = Trainer(splits, options.seeds, options.threads)
    print(f"| dropout | {' | '.join(f'{rate:g}' for rate in DROPOUTS)} |")
    print("|---" + "|---:" * len(DROPOUTS) + "|")
    for name in ("MeLU", "FineTune", "MAML", *RIVALS):
        means = [
            np.mean([trainer.tried(name, rate, seed)[0] for seed in options.seeds])
            for rate in DROPOUTS
        ]
        print(f"| {name} | {' | '.join(f'{mean:.4f}' for mean in means)} |", flush=True)


def variants(splits: mr.split.Splits, options: argparse.Namespace, name: str) -> None:
    """Print differences from `bias`, a mean over seeds, of every variant."""
    validation = splits.validation
    held = mr.split.Splits(validation.data, dict(validation.items()), splits.train.rows)
    found: dict[tuple[str, str], list[list[float]]] = {}
    for seed in options.seeds:
        for variant, (new, given) in VARIANTS[name].items():
            model = new(seed=seed, threads=options.threads, **given)
            # The factorisation learns there how the scale is used: both variants, nothing else.
            taught = {"validation": validation} if new is mr.BayesianMF else {}
            model.fit(splits.train, progress=False, **taught)
            for scenario, values in differences(model, held, options.draws).items():
                found.setdefault((scenario, variant), []).append(values)
    print(f"| | {name} | MAE | RMSE | nDCG@3 |\n|---|---|---:|---:|---:|")
    for (scenario, variant), each in sorted(found.items(), key=lambda pair: pair[0][0]):
        means = " | ".join(f"{mean:+.4f}" for mean in np.mean(each, axis=0))
        print(f"| {scenario} | {variant} | {means} |", flush=True)


def differences(model: Any, splits: mr.split.Splits, draws: int) -> dict[str, list[float]]:
    """Return a model's metrics less those of `bias`, by scenario."""
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
                report.interval(type(model).__name__, scenario, metric, decision=decision).value
                - report.interval("bias", scenario, metric, decision="mean").value
                for metric, decision in DECISIONS
            ]
    return found


if __name__ == "__main__":
    main()
