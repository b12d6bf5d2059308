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
    """Memory, and processor time of epochs over MovieLens-1M: exact MAML, one thread."""
    limit(1)
    import metarec as mr

    splits = mr.split.melu(mr.datasets.movielens_1m())
    tasks = _episode(splits.train)
    found: dict[str, float] = {
        "tasks": tasks.native.task_count,
        "rows": tasks.native.support_rows + tasks.native.query_rows,
    }
    for steps in (1, 5):
        model = mr.MeLU(inner_steps=steps, order=2, epochs=4, threads=1, seed=0)
        drawn = _epoch(model, splits.train)
        found.setdefault("peak memory, MB", peak_memory())
        seconds = _epoch(model, tasks)
        validated = _epoch(model, splits.train, splits.validation)
        plan = (
            found["tasks"] * 1e-6 * model.profile(tasks.take(np.arange(0, 4000, 10))).microseconds
        )
        found |= {
            f"{steps} steps: epoch, s": drawn,
            f"{steps} steps: the same tasks every epoch, s": seconds,
            f"{steps} steps: epoch and validation, s": validated,
            f"{steps} steps: share of task plans": plan / drawn,
        }
    return found


def _episode(data: Any) -> Any:
    """Tasks as `Episodes()` draws them, once: support of 3 to 90 ratings, query of 10."""
    random = np.random.default_rng(0)
    order = random.permutation(len(data))
    order = order[np.argsort(data.user[order], kind="stable")]
    users, starts, counts = np.unique(data.user[order], return_index=True, return_counts=True)
    support = np.minimum(random.integers(3, 91, len(users)), counts - 10)
    kept = support > 0
    users, starts, support = users[kept], starts[kept], support[kept]
    rows = [order[start : start + n + 10] for start, n in zip(starts, support, strict=True)]
    return data.task_set(np.concatenate(rows), support + 10, support, users)


def _epoch(model: Any, data: Any, validation: Any = None) -> float:
    """Processor seconds of the fastest epoch but the first, with its validation."""
    times: list[float] = []
    callbacks = [lambda row: times.append(time.process_time())]
    model.fit(data, validation, progress=False, callbacks=callbacks)
    return min(np.diff(times))


if __name__ == "__main__":
    STARTED = time.perf_counter()
    print(json.dumps({"first": first, "train": train}[sys.argv[1]]()))
