"""What metarec's cost follows: the number of tasks, support length, width, size of the tables."""

from typing import Any

import numpy as np
from remote import Remote
from workload import BLOCK, Algorithm, Workload

#: What grows, the workload of each size, and what the cost should be proportional to.
GROWTH: dict[str, dict[int, dict[str, Any]]] = {
    "tasks per batch": {n: {"tasks": max(4 * n, 64), "batch_size": n} for n in (8, 32, 128, 512)},
    "support rows": {n: {"lengths": (n, n)} for n in (4, 16, 64, 256)},
    "hidden width": {n: {"hidden": n} for n in (16, 64, 256)},
    "table rows": {13_679 * n: {"table_factor": n} for n in (1, 10, 100)},
}


def measure_growth(clock: str, *, short: bool) -> list[dict[str, Any]]:
    """Microseconds a task of the outer step, exact MAML, 1 step, one thread."""
    found = []
    for what, sizes in GROWTH.items():
        chosen = list(sizes.items())[:2] if short else list(sizes.items())
        workers = []
        try:
            for size, options in chosen:
                workload = Workload(**({"tasks": 128} | options))
                worker = Remote("metarec", 1)
                worker.prepare(workload, Algorithm("maml", 1))
                worker.call("run", what="steps", count=2 * BLOCK)
                workers.append((size, workload, worker, []))
            for _ in range(2 if short else 9):
                for _, workload, worker, times in workers:
                    seconds = worker.call("run", what="steps", count=BLOCK, clock=clock)
                    times.append(1e6 * seconds / BLOCK / workload.batch_size)
        finally:
            for _, _, worker, _ in workers:
                worker.close()
        found += [
            {"what": what, "size": size, "microseconds": float(np.median(times))}
            for size, _, _, times in workers
        ]
    return found
