"""Options of presets and learners, searched on MovieLens-1M's validation scenarios by `mr.tune`.

    METAREC_DATA=... python python/benchmarks/tuning.py MeLU [--trials 30] [--save melu.json]

MeLU's published split, seed 0. The test scenarios are not looked at. Prints the best trials.
What came of it: docs/tuning.md.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import metarec as mr

RATES = {"inner_lr": (0.003, 0.1, "log"), "inner_steps": (1, 8), "lr": (1e-4, 3e-3, "log")}
NETWORK = {"embedding_dim": [8, 16, 32], "epochs": (1, 10), "dropout": (0.0, 0.6)}
#: Where a learner that is no preset has these options.
PARTS = {
    "inner_lr": "algorithm__inner_lr",
    "inner_steps": "algorithm__inner_steps",
    "lr": "optimizer__lr",
    "embedding_dim": "backbone__embedding_dim",
    "dropout": "backbone__dropout",
}
SPACES: dict[str, dict[str, Any]] = {
    "MeLU": RATES | NETWORK,
    "FineTune": RATES | NETWORK,
    "MAML": {PARTS.get(name, name): choice for name, choice in (RATES | NETWORK).items()},
    "ColdStart": {
        "tokens": [64, 128, 192],
        "features": [32, 64, 96],
        "components": [96, 192, 288],
        "lr": (2e-3, 1e-2, "log"),
        "l2": (1e-4, 2e-3, "log"),
        "epochs": (16, 36),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Tune a model on MovieLens-1M's validation.")
    parser.add_argument("model", choices=SPACES)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--metric", default="rmse")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, help="seconds after which no trial begins")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--save", type=Path, help="a .json file for the record")
    options = vars(parser.parse_args())
    if "METAREC_DATA" not in os.environ:
        parser.error("METAREC_DATA: set it to the folder that has ml-1m/ with melu_splits/")

    name, threads, save = (options.pop(each) for each in ("model", "threads", "save"))
    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    model = first(name).set_params(threads=threads, seed=0)
    tuning = mr.tune(model, splits, SPACES[name], **options)
    print(tuning)
    if save is not None:
        tuning.save(save)


def first(name: str) -> mr.MetaLearner | mr.ColdStart:
    """Return the model of the first trial."""
    match name:
        case "MeLU":
            return mr.MeLU(epochs=3)
        case "FineTune":
            return mr.FineTune(epochs=2)
        case "ColdStart":  # the factorisation has nothing to tune
            return mr.ColdStart(factorisation=False)
    return mr.MetaLearner(
        algorithm=mr.MAML(inner_steps=5, adapt="all"),
        backbone=mr.FeatureMLP(),
        optimizer=mr.Adam(),
        epochs=2,
    )


if __name__ == "__main__":
    main()
