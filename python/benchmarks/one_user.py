"""How long the preset takes for one user: adapt to 20 ratings, score all of MovieLens-1M.

METAREC_DATA=... python python/benchmarks/one_user.py [rounds]

Prints a Markdown table of p50 and p99, from Python, and how often a shortlist's ten best are those
of all items corrected.
"""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import metarec as mr

RATINGS, SHORTLIST, USERS = 20, 300, 200


def main(rounds: int) -> None:
    """Train the network and the whole preset, measure both, and print the table."""
    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    models = {
        "network": mr.ColdStart(factorisation=False, seed=0).fit(splits.train, progress=False),
        "whole preset": mr.ColdStart(seed=0).fit(splits.train, splits.validation, progress=False),
    }
    print(f"{RATINGS} ratings, {splits.train.item_count} items\n")
    print("| | p50, ms | p99, ms |\n|---|---:|---:|")
    for name, model in models.items():
        for what, call in calls(model, *next(histories(splits))).items():
            times = 1e3 * measured(call, rounds)
            print(f"| {name}: {what} | {np.median(times):.2f} | {np.quantile(times, 0.99):.2f} |")
    print(f"\nThe ten best by a shortlist of {SHORTLIST}, in order those of all items corrected:")
    for name, model in models.items():
        print(f"{name}: for {agreement(model, splits):.1%} of {USERS} new users")


def calls(model: mr.ColdStart, items: Any, ratings: Any) -> dict[str, Callable[[], Any]]:
    """Return what is measured of a model."""
    user, data = model.adapt(items, ratings), model._data
    codes = np.arange(data.item_count, dtype=np.int32)
    everything = data.item_ids(codes)
    some = everything[:1000]
    found: dict[str, Callable[[], Any]] = {
        "adapt": lambda: model.adapt(items, ratings),
        "adapt, score all": lambda: model.adapt(items, ratings).predict(everything),
        "recommend(10)": lambda: user.recommend(10),
        "recommend(10) of 1,000": lambda: user.recommend(10, candidates=some),
        f"recommend(10, shortlist={SHORTLIST})": lambda: user.recommend(10, shortlist=SHORTLIST),
    }
    if not model.factorisation:
        found["score all in closed form"] = lambda: user._native.predict(
            model._items.native, codes, "uncorrected"
        )
    return found


def histories(splits: mr.split.Splits) -> Iterator[tuple[Any, Any]]:
    """Yield items and ratings of new users, at most `RATINGS` each."""
    tasks, data = splits.new_user.tasks(), splits.new_user.data
    for row in range(USERS):
        task = tasks.take([row])
        rows = task.support()[0][:RATINGS]
        yield data.item_ids(task.item_index[rows]), task.targets[rows]


def agreement(model: mr.ColdStart, splits: mr.split.Splits) -> float:
    """Return how often a shortlist leads to the same list."""
    same = []
    for items, ratings in histories(splits):
        user = model.adapt(items, ratings)
        best = user.recommend(10).items.tolist()
        same.append(best == user.recommend(10, shortlist=SHORTLIST).items.tolist())
    return float(np.mean(same))


def measured(call: Callable[[], Any], rounds: int) -> Any:
    """Return the seconds of every round, after some to warm up."""
    for _ in range(10):
        call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return np.array(times)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
