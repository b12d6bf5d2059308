"""One system in a process of its own: started by `remote.Remote`, told what to do line by line.

Threads are limited before anything is imported: by affinity, and by the variables that libraries
read.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")


def limit(threads: int) -> None:
    """Use the first so many of the processors that this process may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for variable in VARIABLES:
        os.environ[variable] = str(threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )


def peak_memory() -> float:
    """Return the most memory that this process had at a time, in MB."""
    # Not getrusage: its peak counts what the parent had when it forked.
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


class Worker:
    """The commands."""

    def __init__(self, name: str, threads: int) -> None:
        from peers import create

        started = time.perf_counter()
        self.system = create(name, threads)
        self.import_seconds = time.perf_counter() - started

    def prepare(self, workload: dict[str, Any], algorithm: tuple[str, int]) -> dict[str, Any]:
        from workload import Algorithm, Workload

        self.algorithm, self.workload = Algorithm(*algorithm), Workload(**workload)
        if not self.system.supports(self.algorithm):
            return {"supported": False}
        self.workload.parameters, self.workload.batches  # noqa: B018 not the system's time
        started = time.perf_counter()
        self.system.prepare(self.workload, self.algorithm)
        return {"supported": True, "seconds": time.perf_counter() - started}

    def gradient(self, path: str) -> float:
        """Write the first batch's meta-gradient, and return its seconds; the first may compile."""
        import numpy as np

        started = time.perf_counter()
        gradient = self.system.gradient(0)
        seconds = time.perf_counter() - started
        np.savez(path, **gradient)
        return seconds

    def run(self, what: str, count: int, clock: str = "wall") -> float:
        """Seconds of "gradients" or "steps", on the clock or of the processor."""
        now = time.process_time if clock == "cpu" else time.perf_counter
        started = now()
        getattr(self.system, what)(count)
        return now() - started

    def facts(self) -> dict[str, float]:
        return {"import_seconds": self.import_seconds, "peak_mb": peak_memory()}

    def profile(self) -> dict[str, float]:
        """Of metarec: its plan's instructions, and what they cost in a task of the first batch."""
        profile = self.system.learner.profile(self.system.batches[0])
        return {
            "instructions": sum(cost.calls for cost in profile),
            "multiply_adds": profile.multiply_adds,
            "microseconds": profile.microseconds,
        }

    def latency(self, ratings: int, candidates: int, seconds: float) -> list[float]:
        """Seconds of each of many calls, with other ratings each; the very first may compile."""
        import numpy as np

        generator = np.random.default_rng(ratings)
        items = self.workload.items
        among = np.arange(candidates, dtype=np.int32) % items if candidates else None
        calls = [
            self._request(
                generator.integers(0, items, ratings, np.int32),
                generator.integers(1, 6, ratings).astype(np.float32),
                0,
                among,
            )
            for _ in range(64)
        ]
        found: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(found) < 9:
            call = calls[len(found) % len(calls)]
            started = time.perf_counter()
            self.system.adapt(*call)
            found.append(time.perf_counter() - started)
        return found

    def scores(self) -> list[float]:
        """What one user's adaptation gives for a few candidates: to be compared."""
        import numpy as np

        ratings = np.array([5, 1, 4], np.float32)
        call = self._request(
            np.array([3, 1, 4], np.int32), ratings, 0, np.arange(8, dtype=np.int32)
        )
        return [float(score) for score in self.system.adapt(*call)]

    def _request(self, *call: Any) -> tuple[Any, ...]:
        """The call as a user of the system would write it."""
        return self.system.request(*call) if hasattr(self.system, "request") else call


def main() -> None:
    name, threads = sys.argv[1], int(sys.argv[2])
    limit(threads)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print
    worker = Worker(name, threads)
    for line in sys.stdin:
        command, arguments = json.loads(line)
        answers.write(json.dumps(getattr(worker, command)(**arguments)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
