"""What metarec's cost follows: threads, tasks, support length, width, size of the tables."""

from typing import Any

import numpy as np
from remote import Remote
from workload import BLOCK, Algorithm, Workload

#: What grows, and the workload of each size.
GROWTH: dict[str, dict[int, dict[str, Any]]] = {
    "threads": {1: {}, 2: {}},
    "tasks per batch": {n: {"tasks": max(4 * n, 64), "batch_size": n} for n in (8, 32, 128, 512)},
    "support rows": {n: {"lengths": (n, n)} for n in (4, 16, 64, 256)},
    "hidden width": {n: {"hidden": n} for n in (16, 64, 256)},
    "table rows": {13_679 * n: {"table_factor": n} for n in (1, 10, 100)},
}


def measure_growth(clock: str, *, short: bool) -> list[dict[str, Any]]:
    """Microseconds a task of the outer step, exact MAML, 1 step; sizes alternate."""
    found = []
    for what, sizes in GROWTH.items():
        chosen = list(sizes.items())[:2] if short else list(sizes.items())
        by = "wall" if what == "threads" else clock
        workers = []
        try:
            for size, options in chosen:
                workload = Workload(**({"tasks": 128} | options))
                worker = Remote("metarec", size if what == "threads" else 1)
                worker.prepare(workload, Algorithm("maml", 1))
                worker.call("run", what="steps", count=2 * BLOCK)
                workers.append((size, workload, worker, []))
            for _ in range(2 if short else 9):
                for _, workload, worker, times in workers:
                    seconds = worker.call("run", what="steps", count=BLOCK, clock=by)
                    times.append(1e6 * seconds / BLOCK / workload.batch_size)
        finally:
            for _, _, worker, _ in workers:
                worker.close()
        found += [
            {"what": what, "size": size, "microseconds": float(np.median(times))}
            for size, _, _, times in workers
        ]
    return found
