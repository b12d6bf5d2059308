"""Train a model on all ratings and write it to a file."""

import argparse
from pathlib import Path

from metarec import split
from metarec.command import models, tables
from metarec.command.evaluate import check_output, fit
from metarec.dataset import Dataset
from metarec.errors import InvalidValueError
from metarec.learner import MetaLearner

USAGE = "RATINGS --out FILE [--users FILE] [--items FILE] [options]"
ABOUT = """\
train a model on all ratings and write it to a file

Evaluate first: the file does not tell how good the model is. It has what was learned, the items and
their features, but no ratings and no users. The number of epochs is chosen before, on a tenth of
the users and items held out, unless it is given: --set epochs=10.

examples:
  metarec train ratings.csv --out model.metarec
  metarec train ratings.csv --items movies.csv --users people.csv --out model.metarec
  metarec train ratings.parquet --model MeLU --set epochs=20 --out melu.metarec
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    tables.add_arguments(parser)
    models.add_arguments(parser, models.savable())
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="where to, such as model.metarec"
    )


def run(options: argparse.Namespace) -> None:
    """Do it."""
    check_output(options.out, "--out", (".metarec",))
    name = options.model or models.DEFAULT
    can = models.savable()
    if type(models.make(name, options, clicks=False)).__name__ not in can:
        raise InvalidValueError(f"--model: {name} cannot be saved, only {', '.join(can)}")
    data = tables.read(options)
    model = models.make(name, options, clicks=tables.is_clicks(data))
    if "epochs" in model.get_params(deep=False) and "epochs" not in tables.pairs(options.set, ""):
        model.set_params(epochs=_best_epoch(model, data, options.seed) or model.epochs)
    fit(model, data, None)
    model.save(options.out)
    size = options.out.stat().st_size / 1e6
    print(f"\nThe model: {options.out} ({size:.1f} MB). For somebody new:")
    print(f"  metarec recommend {options.out} --history HISTORY.csv -k 10")


def _best_epoch(model: MetaLearner, data: Dataset, seed: int) -> int | None:
    """Return after which epoch users and items held out are predicted best; None if too few."""
    held = split.cold_start(data, 0.1, 0.1, max_ratings=None, seed=seed, validation=0)
    if not any(len(scenario) for scenario in held.values()):
        return None
    print("How many epochs?", flush=True)
    fit(model, held.train, held)
    scores = {row["epoch"]: row["validation"] for row in model.history_}
    best = int(min(scores, key=lambda epoch: scores[epoch]))
    print(f"  the error on users and items held out is least after epoch {best} of {len(scores)}\n")
    return best
