"""What the plan reaches by itself, and what each rewrite of `docs/engine.md` buys."""

import sys
from typing import Any

import machine
import numpy as np
from remote import Remote
from workload import ALGORITHMS, Algorithm, Workload

#: The names that the environment variable METAREC_WITHOUT takes.
REWRITES = (
    "repeated-rows",
    "stacks",
    "gram",
    "upper-gram",
    "factoring",
    "by-parts",
    "narrowing",
    "by-value",
    "epilogues",
    "chains",
    "hoisting",
    "outer-products",
    "placing",
    "in-place",
)
EVERYTHING, NOTHING = "", ",".join(REWRITES)


def measure_rewrites(
    *, short: bool, rounds: int, only: list[str] | None = None
) -> list[dict[str, Any]]:
    """Instructions, multiply-adds and microseconds of the plan for one task, one thread.

    A process for every set of rewrites; their profiles alternate. Of a batch of 32 tasks.
    """
    workload = Workload()
    support = float(workload.support_counts[workload.batches[0]].mean())
    chosen = [a for a in ALGORITHMS if a.name in ("maml", "fomaml")]
    left_out = (EVERYTHING, NOTHING) if short else (EVERYTHING, *REWRITES, NOTHING)
    if only:
        chosen = [a for a in chosen if f"{a.name}-{a.steps}" in only]
    found = []
    for algorithm in chosen[:1] if short else chosen:
        peaks = [machine.measure().fastest]
        plans = _alternate(workload, algorithm, left_out, rounds)
        peaks.append(machine.measure().fastest)
        row = {
            "algorithm": str(algorithm),
            "mflop": algorithm.flops(support, workload.query_rows) / 1e6,
            "peak": max(peaks),
            "plans": plans,
        }
        print(f"plan of {algorithm}: {np.median(plans[''][2]):.1f} us", file=sys.stderr)
        found.append(row)
    return found


def _alternate(
    workload: Workload, algorithm: Algorithm, left_out: tuple[str, ...], rounds: int
) -> dict[str, list[Any]]:
    """By what is left out: instructions, MFLOP, and microseconds of every round."""
    workers: dict[str, Remote] = {}
    plans: dict[str, list[Any]] = {}
    try:
        for names in left_out:
            workers[names] = Remote("metarec", 1, METAREC_WITHOUT=names)
            workers[names].prepare(workload, algorithm)
            cost = workers[names].call("profile")
            plans[names] = [cost["instructions"], 2e-6 * cost["multiply_adds"], []]
        for number in range(rounds):
            for names in left_out if number % 2 == 0 else reversed(left_out):
                plans[names][2].append(workers[names].call("profile")["microseconds"])
    finally:
        for worker in workers.values():
            worker.close()
    return plans
