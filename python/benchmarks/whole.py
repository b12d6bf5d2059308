"""Whole processes: import to the first outer step, and training on MovieLens-1M.

    python python/benchmarks/whole.py first | train

prints what one process of its own found, as JSON. MovieLens-1M is looked for in the folder that the
environment variable METAREC_DATA names.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
from worker import limit, peak_memory


def measure_whole(*, short: bool) -> dict[str, Any]:
    """Medians of several processes."""
    runs = 3 if short else 7
    found: dict[str, Any] = {"first": _median([_run("first") for _ in range(runs)])}
    if os.environ.get("METAREC_DATA") and not short:
        found["train"] = _median([_run("train") for _ in range(3)])
    return found


def _run(what: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, what], check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout))


def _median(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


def first() -> dict[str, float]:
    """Seconds from before the import of metarec (and NumPy) to after the first outer step."""
    import metarec as mr

    imported = time.perf_counter()
    tasks = mr.datasets.synthetic(users=64, items=150, seed=0).tasks(min_ratings=2)
    made = time.perf_counter()
    mr.MeLU(seed=0).partial_fit(tasks)
    done = time.perf_counter()
    return {
        "import": imported - STARTED,
        "first step": done - made,
        "import to first step": done - STARTED,
    }


def train() -> dict[str, float]:
    """Memory, and processor time of epochs over MovieLens-1M: exact MAML, 1 step, one thread."""
    import metarec as mr

    limit(1)
    splits = mr.split.melu(mr.datasets.movielens_1m())
    times: list[float] = []
    options: dict[str, Any] = {"inner_steps": 1, "order": 2, "epochs": 4, "threads": 1, "seed": 0}
    mr.MeLU(**options).fit(
        splits.train, progress=False, callbacks=[lambda row: times.append(time.process_time())]
    )
    drawn = min(np.diff(times))
    memory = peak_memory()
    tasks = splits.train.tasks(min_ratings=2)
    times.clear()
    model = mr.MeLU(**options).fit(
        tasks, progress=False, callbacks=[lambda row: times.append(time.process_time())]
    )
    seconds = min(np.diff(times))
    count = tasks.native.task_count
    sample = tasks.take(np.arange(0, count, 16))
    plan = count * 1e-6 * model.profile(sample).microseconds
    return {
        "peak memory, MB": memory,
        "tasks": count,
        "ratings": tasks.native.support_rows + tasks.native.query_rows,
        "epoch, s": seconds,
        "epoch with episodes drawn, s": drawn,
        "share of task plans": plan / seconds,
    }


if __name__ == "__main__":
    STARTED = time.perf_counter()
    print(json.dumps({"first": first, "train": train}[sys.argv[1]]()))
