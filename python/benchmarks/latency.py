"""One user: the time from Python to adapt to some ratings, alone and with scores of candidates.

metarec gets ids and raw values, as its users have them; the peers get row numbers. What metarec
keeps of the items from call to call is kept: a peer that wants to may do the same.
"""

import sys
from typing import Any

import numpy as np
from remote import Remote
from workload import Algorithm, Workload

RATINGS, STEPS, CANDIDATES = (1, 10, 50), (1, 5), (0, 1_000, 100_000)


def measure_latency(systems: list[str], *, short: bool) -> list[dict[str, Any]]:
    """Microseconds, p50, p99 and the first call's, of every system; one thread."""
    steps, ratings, candidates, seconds = STEPS, RATINGS, CANDIDATES, 1.0
    if short:
        steps, ratings, candidates, seconds = (1,), (10,), (0, 1_000), 0.2
    names = [name for name in systems if name != "torch.func vmap"]  # for one task it is the loop
    workload = Workload(items=100_000)
    found = []
    for step in steps:
        algorithm = Algorithm("fomaml", step)
        workers = [Remote(name, 1) for name in names]
        try:
            for worker in workers:
                worker.prepare(workload, algorithm)
            _check(workers)
            for rating in ratings:
                for candidate in candidates:
                    row: dict[str, Any] = {
                        "steps": step,
                        "ratings": rating,
                        "candidates": candidate,
                    }
                    parts: dict[str, list[float]] = {name: [] for name in names}
                    for _ in range(3):
                        for worker in workers:
                            parts[worker.name] += worker.call(
                                "latency", ratings=rating, candidates=candidate, seconds=seconds / 3
                            )
                    for name, times in parts.items():
                        p50, p99 = 1e6 * np.percentile(times[1:], (50, 99))
                        row[name] = {"p50": p50, "p99": p99, "first": 1e6 * times[0]}
                    found.append(row)
                    p50s = ", ".join(f"{name} {row[name]['p50']:,.0f}" for name in names)
                    print(f"adapt, {step} steps, {rating}, {candidate}: {p50s}", file=sys.stderr)
        finally:
            for worker in workers:
                worker.close()
    return found


def _check(workers: list[Remote]) -> None:
    """Raise unless all systems give one user the same scores."""
    found = {worker.name: worker.call("scores") for worker in workers}
    expected = found[workers[0].name]
    for name, scores in found.items():
        if not np.allclose(scores, expected, rtol=1e-3, atol=1e-4):
            raise SystemExit(f"{name}: other scores than {workers[0].name}: {scores}, {expected}")
