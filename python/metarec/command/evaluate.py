"""Train on a part of the ratings, score on new users and new items, beside trivial floors."""

import argparse
import time
from pathlib import Path
from typing import Any

from metarec import split
from metarec.command import models, picture, tables
from metarec.dataset import Dataset
from metarec.errors import InvalidValueError
from metarec.evaluation import Report
from metarec.evaluation import evaluate as score
from metarec.evaluation.report import REFERENCES
from metarec.splits import Splits

USAGE = "RATINGS [--users FILE] [--items FILE] [options]"
ABOUT = """\
train on a part of the ratings, score on new users and items, beside trivial floors

A fifth of the users and of the items is held out as new. Each of the new users is asked: had we
known some of the ratings (the support), how well would we have predicted ten others (the query)?
A model that is not clearly better than the floor `bias`, user and item averages, is not worth it.

examples:
  metarec evaluate ratings.csv
  metarec evaluate ratings.csv --items movies.csv --report report.html --plot report.png
  metarec evaluate ratings.parquet --user-column customer --item-column sku --rating-column none
  metarec evaluate ratings.csv --model MeLU --model BayesianMF --draws 2
  metarec evaluate ratings.csv --order time --new-items 0 --metric mae --metric ndcg@10
"""
_REPORTS, _PICTURES = (".html", ".md", ".json"), (".png", ".svg", ".pdf")
_STARS, _CLICKS = ("mae", "rmse", "ndcg@3"), ("ndcg@10", "hr@10")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    tables.add_arguments(parser)
    models.add_arguments(parser, models.known(), several=True)
    how = parser.add_argument_group("how it is measured")
    how.add_argument("--draws", type=int, default=5, help="draws of support and query (default: 5)")
    how.add_argument(
        "--order",
        choices=("shuffle", "time"),
        default="shuffle",
        help="whether the query is drawn, or the last ratings (default: shuffle)",
    )
    how.add_argument("--new-users", type=float, default=0.2, metavar="FRACTION", help="default: .2")
    how.add_argument("--new-items", type=float, default=0.2, metavar="FRACTION", help="default: .2")
    how.add_argument(
        "--min-ratings", type=int, default=13, help="of users who are asked (default: 13)"
    )
    how.add_argument(
        "--max-ratings", type=int, help="of users who are asked (default: 100; of clicks: any)"
    )
    how.add_argument("--query", type=int, default=10, help="ratings to predict (default: 10)")
    how.add_argument(
        "--metric",
        action="append",
        metavar="NAME",
        help=f"default: {', '.join(_STARS)}; of clicks {', '.join(_CLICKS)}",
    )
    out = parser.add_argument_group("output")
    out.add_argument("--report", type=Path, metavar="FILE", help=f"{', '.join(_REPORTS)}")
    out.add_argument("--plot", type=Path, metavar="FILE", help=f"{', '.join(_PICTURES)}")


def run(options: argparse.Namespace) -> None:
    """Do it."""
    check_output(options.report, "--report", _REPORTS)
    check_output(options.plot, "--plot", _PICTURES)
    if options.plot is not None:
        picture.require()
    wanted = options.model or [models.DEFAULT]
    for name in wanted:
        models.make(name, options, clicks=False)  # complains before there is work to lose
    data = tables.read(options)
    clicks = tables.is_clicks(data)
    chosen = [
        models.make(name, options, clicks=clicks) for name in options.model or [models.DEFAULT]
    ]
    splits = _splits(data, options, clicks)
    print(f"{splits}\n", flush=True)
    for model in chosen:
        fit(model, splits.train, splits.validation)
    print("", flush=True)
    report = score(
        chosen,
        splits,
        draws=1 if options.order == "time" else options.draws,
        metrics=options.metric or (_CLICKS if clicks else _STARS),
        ranking="catalogue" if clicks else "query",
        support_sizes=_sizes(splits),
    )
    print(f"{report}\n")
    _say_which_side(report)
    if options.items is None and options.new_items:
        print(
            "Nothing is known of new items but their ids. With --items their features would help."
        )
    _write(report, options)


def fit(model: Any, data: Dataset, validation: Splits | None) -> None:
    """Fit a model and say how long it took."""
    print(f"Training {model} ...", flush=True)
    start = time.perf_counter()
    model.fit(data, validation)
    print(f"  {len(data):,} ratings in {time.perf_counter() - start:.1f} s", flush=True)


def check_output(path: Path | None, option: str, endings: tuple[str, ...]) -> None:
    """Refuse a file that could not be written in the end, before there is work to lose."""
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise InvalidValueError(f"{option}: expected a file {' or '.join(endings)}, got {path}")
    if not path.absolute().parent.is_dir():
        raise InvalidValueError(f"{option}: there is no folder {path.parent}")


def _splits(data: Dataset, options: argparse.Namespace, clicks: bool) -> Splits:
    high = options.max_ratings
    splits = split.cold_start(
        data,
        options.new_users,
        options.new_items,
        min_ratings=options.min_ratings,
        max_ratings=max(100, options.min_ratings) if high is None and not clicks else high,
        query=options.query,
        order=options.order,
        seed=options.seed,
    )
    if not any(len(scenario) for scenario in splits.values()):
        raise InvalidValueError(
            f"ratings: no user who is asked has {options.min_ratings} ratings to be asked of; "
            "there are too few, or lower --min-ratings and --query"
        )
    return splits


def _sizes(splits: Splits) -> tuple[int, ...]:
    """Return the support sizes that enough users reach for a curve."""
    sizes = (0, 1, 3, 5, 10, 20, 30)
    longest = max(
        (size for size in sizes for s in splits.values() if len(s.eligible(size)) >= 10), default=0
    )
    return tuple(size for size in sizes if size <= longest)


def _say_which_side(report: Report) -> None:
    """Say in words whether each model is better than the floor, by the first metric."""
    floor = next((name for name in REFERENCES if name in report.floors), None)
    if floor is None:
        return
    for model in report.models:
        seen = set()
        for row in report.compare(model, floor).rows:
            if row["scenario"] in seen:
                continue
            seen.add(row["scenario"])
            side = {model: "better than", floor: "WORSE than", "": "level with"}[row["better"]]
            print(
                f"{row['scenario']:<9} {model} is {side} {floor}: {row['metric']} "
                f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
            )


def _write(report: Report, options: argparse.Namespace) -> None:
    if options.report is not None:
        report.save(options.report)
        print(f"The report: {options.report}")
    if options.plot is not None:
        picture.draw(report, options.plot)
        print(f"The picture: {options.plot}")
