"""The presets' options, searched on MovieLens-1M's validation scenarios by `mr.tune`.

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
SPACES: dict[str, dict[str, Any]] = {
    "MeLU": RATES | NETWORK,
    "FineTune": RATES | NETWORK,
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
    parser = argparse.ArgumentParser(description="Tune a preset on MovieLens-1M's validation.")
    parser.add_argument("preset", choices=SPACES)
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

    # The first trial: the options behind the README's table. The factorisation has none to tune.
    first: dict[str, dict[str, Any]] = {"MeLU": {"epochs": 3}, "FineTune": {"epochs": 2}}
    first["ColdStart"] = {"factorisation": False}
    name, threads, save = (options.pop(each) for each in ("preset", "threads", "save"))
    model = getattr(mr, name)(threads=threads, seed=0, **first[name])
    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    tuning = mr.tune(model, splits, SPACES[name], **options)
    print(tuning)
    if save is not None:
        tuning.save(save)


if __name__ == "__main__":
    main()
