"""Where the time of one task goes: the table of docs/profile.md.

    python python/benchmarks/instructions.py [maml-1 | maml-5 | fomaml-1 | ...]

The instructions of the training plan on the first meta-batch of the workload, one thread, and the
processor time of a whole outer step beside them.
"""

import sys
import time

import machine
from peers.metarec_ import Metarec
from worker import limit
from workload import ALGORITHMS, Workload


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "maml-1"
    algorithm = next(a for a in ALGORITHMS if f"{a.name}-{a.steps}" == name)
    limit(1)
    workload, system = Workload(), Metarec(1)
    system.prepare(workload, algorithm)
    system.steps(len(workload.batches))
    started = time.process_time()
    system.steps(10 * len(workload.batches))
    step = 1e6 * (time.process_time() - started) / 10 / workload.tasks
    profile = system.learner.profile(system.batches[0])
    peak = machine.measure().fastest
    print(profile)
    print(f"{algorithm}: peak {peak:.0f} GFLOP/s; whole outer step, per task: {step:.1f} µs")


if __name__ == "__main__":
    main()
