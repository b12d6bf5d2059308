"""Accuracy on MovieLens-1M, MeLU's published split: the command behind the README's table.

    METAREC_DATA=... python python/benchmarks/accuracy.py [--seeds 0 1 2] [--draws 5] [--models ...]

Whatever is chosen is chosen on `splits.validation`, with the first seed (see accuracy_models.py);
then every seed trains on the whole training part and is scored on the draws 0 ... of the test
scenarios. Nothing is chosen on these.
Prints Markdown; what was measured is kept in a JSON file, to which `--add` adds further models.
Definitions: docs/protocol.md.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from accuracy_models import DEFAULT, DROPOUTS, LEARNERS, NAMES, PRESET, Trainer
from accuracy_table import markdown

import metarec as mr

METRICS = ("mae", "rmse", "ndcg@3", "coverage90")
HISTORY = 200


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy on MeLU's split of MovieLens-1M.")
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(DEFAULT))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="training seeds")
    parser.add_argument("--draws", type=int, default=5, help="draws of support and query")
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--dropouts", type=float, nargs="+", default=DROPOUTS, help="validation chooses of these"
    )
    parser.add_argument("--json", type=Path, default=Path("build/accuracy.json"))
    parser.add_argument("--add", action="store_true", help="keep the models that the file has")
    parser.add_argument("--show", action="store_true", help="print what the file has, run nothing")
    parser.add_argument("--plot", type=Path, help="where to save the reliability plot")
    options = parser.parse_args()

    found: dict[str, Any] = {"models": {}, "floors": []}
    if options.show or (options.add and options.json.exists()):
        found = json.loads(options.json.read_text(encoding="utf-8"))
    if not options.show:
        if "METAREC_DATA" not in os.environ:
            parser.error("METAREC_DATA: set it to the folder that has ml-1m/ with melu_splits/")
        run(options, found)
    print(markdown(found))


def run(options: argparse.Namespace, found: dict[str, Any]) -> None:
    """Train and score the models, and write the file after each of them."""
    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    trainer = Trainer(splits, options.seeds, options.threads, options.dropouts)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    for name in options.models:
        copies = trainer.copies(name)
        started = time.perf_counter()
        rows, floors, info = measured(name, copies, splits, options)
        found["models"][name] = {
            "fact": trainer.facts[name],
            "seeds": options.seeds[: len(copies)],
            "draws": options.draws,
            "info": info,
            "rows": rows,
        }
        found["floors"] = floors
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
        log(f"{name}: {trainer.facts[name]}, scored in {time.perf_counter() - started:.0f} s")
    learners = {name: trainer.copies(name) for name in options.models if name in LEARNERS}
    if len(learners) > 1:
        kept = [row for row in found.get("pairs", []) if not {row["a"], row["b"]} & {*learners}]
        found["pairs"] = kept + pairs(learners, splits, options)
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


def measured(
    name: str, copies: list[Any], splits: mr.split.Splits, options: argparse.Namespace
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Return the rows of a model, those of the floors, and what they depend on."""

    def evaluate(**more: Any) -> mr.Report:
        return mr.evaluate({name: copies}, splits, draws=options.draws, **more)

    whole = evaluate(metrics=METRICS, support_sizes=())
    parts = [
        ("", whole),
        (
            f", history={HISTORY}",
            evaluate(metrics=METRICS, support_sizes=(), scenarios=["new_item"], history=HISTORY),
        ),
        ("", evaluate(metrics=["mae", "rmse"], scenarios=["new_user"])),
    ]
    if options.plot and name == PRESET:
        plot(whole, options.plot)
    rows: list[dict[str, Any]] = []
    floors: list[dict[str, Any]] = []
    for suffix, report in parts:
        rows += rows_of(report, name, suffix)
        for floor in report.floors:
            floors += rows_of(report, floor, suffix)
    info = whole.info
    return rows, floors, {key: info[key] for key in ("versions", "data", "split")}


def rows_of(report: mr.Report, name: str, suffix: str) -> list[dict[str, Any]]:
    """Return every value of a model by its best decision, and the difference from `bias`."""
    frame = report.to_frame("dict")
    keys = ("scenario", "metric", "decision", "support_size", "value", "low", "high", "tasks")
    rows = []
    for place, model in enumerate(frame["model"]):
        one = {key: frame[key][place] for key in frame}
        if model != name or any(one[key] is not None for key in ("by", "group", "seed", "draw")):
            continue
        rows.append({"model": name} | {key: one[key] for key in keys})
    compared = {} if name == "bias" else differences(report, name)
    for row in rows:
        key = tuple(row[k] for k in ("scenario", "metric", "decision", "support_size"))
        row["paired"] = compared.get(key)
        row["scenario"] += suffix
    return rows


def differences(report: mr.Report, name: str) -> dict[tuple[Any, ...], list[float]]:
    """Return the paired differences from the unrounded `bias`, with their intervals."""
    sized = any(row is not None for row in report.to_frame("dict")["support_size"])
    rows = report.compare(name, "bias", by_support_size=sized).rows
    return {
        (row["scenario"], row["metric"], row["decision"], row["support_size"]): [
            row["difference"],
            row["low"],
            row["high"],
        ]
        for row in rows
        if row["decision_b"] == "mean"
    }


def pairs(
    learners: dict[str, list[Any]], splits: mr.split.Splits, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return the paired differences of each pair of learners."""

    def compared(**more: Any) -> list[dict[str, Any]]:
        fixed = {"metrics": METRICS[:3], "support_sizes": (), "floors": False}
        rows = mr.evaluate(learners, splits, draws=options.draws, **fixed, **more).compare().rows
        keys = ("a", "b", "scenario", "metric", "difference", "low", "high")
        return [{key: row[key] for key in keys} for row in rows if row["decision"] == "mean"]

    rows = compared(scenarios=["new_item"], history=HISTORY)
    return compared() + [
        {**row, "scenario": f"{row['scenario']}, history={HISTORY}"} for row in rows
    ]


def plot(report: mr.Report, path: Path) -> None:
    """Save the reliability of new users' queries."""
    figure = mr.plot.calibration(report).figure
    figure.set_size_inches(4.5, 4.5)
    figure.savefig(path, dpi=90)


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
