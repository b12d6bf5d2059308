"""What metarec's cost follows: threads, tasks, support length, width, size of the tables."""

from typing import Any

import numpy as np
from remote import Remote
from workload import BLOCK, Algorithm, Workload

#: What grows, and the workload of each size.
GROWTH: dict[str, dict[int, dict[str, Any]]] = {
    "threads": {1: {}, 2: {}},
    "threads, 5 steps": {1: {}, 2: {}},
    "threads, batches of 128": {n: {"tasks": 512, "batch_size": 128} for n in (1, 2)},
    "tasks per batch": {n: {"tasks": max(4 * n, 64), "batch_size": n} for n in (8, 32, 128, 512)},
    "support rows": {n: {"lengths": (n, n)} for n in (4, 16, 64, 256)},
    "hidden width": {n: {"hidden": n} for n in (16, 64, 256)},
    "table rows": {13_679 * n: {"table_factor": n} for n in (1, 10, 100)},
}


def measure_growth(clock: str, *, short: bool) -> list[dict[str, Any]]:
    """Microseconds a task of the outer step, exact MAML, 1 step unless said; sizes alternate.

    Threads by wall clock, in more and longer blocks: whatever disturbs one of them holds up all.
    """
    found = []
    for what, sizes in GROWTH.items():
        chosen = list(sizes.items())[:2] if short else list(sizes.items())
        is_threads = what.startswith("threads")
        algorithm = Algorithm("maml", 5 if what.endswith("5 steps") else 1)
        by, rounds, steps = ("wall", 25, 10 * BLOCK) if is_threads else (clock, 9, BLOCK)
        workers = []
        try:
            for size, options in chosen:
                workload = Workload(**({"tasks": 128} | options))
                worker = Remote("metarec", size if is_threads else 1)
                worker.prepare(workload, algorithm)
                worker.call("run", what="steps", count=2 * BLOCK)
                workers.append((size, workload, worker, []))
            for _ in range(2 if short else rounds):
                for _, workload, worker, times in workers:
                    seconds = worker.call("run", what="steps", count=steps, clock=by)
                    times.append(1e6 * seconds / steps / workload.batch_size)
        finally:
            for _, _, worker, _ in workers:
                worker.close()
        found += [
            {
                "what": what,
                "size": size,
                "microseconds": float(np.median(times)),
                "traffic": workload.traffic(algorithm),
            }
            for size, workload, _, times in workers
        ]
    return found
