"""Where the time of one task goes: the tables of docs/profile.md.

    python python/benchmarks/instructions.py [maml-1 | maml-5 | fomaml-1 | ... | rows]

The instructions of the training plan on the first meta-batch of the workload, one thread, each and
by kind, and the processor time of a whole outer step beside them.
"""

import re
import sys
import time
from collections.abc import Iterable

import machine
import numpy as np
from peers.metarec_ import Metarec
from worker import limit
from workload import ALGORITHMS, Workload

from metarec.profile import InstructionCost

PRODUCTS = (
    "forward and back through a layer",
    "gradients of weights",
    "Gram matrices",
    "Gram matrices times rows",
    "products with one row, column or rank",
)
OTHERS = {
    "chain": "element-wise chains",
    "transpose": "transposes",
    "bag": "embeddings: gather, and back",
    "bagTransposed": "embeddings: gather, and back",
    "sum": "sums",
}


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "maml-1"
    limit(1)
    if name == "rows":
        print(*by_rows(), sep="\n")
        return
    algorithm = next(a for a in ALGORITHMS if f"{a.name}-{a.steps}" == name)
    workload, system = Workload(), Metarec(1)
    system.prepare(workload, algorithm)
    system.steps(len(workload.batches))
    started = time.process_time()
    system.steps(10 * len(workload.batches))
    step = 1e6 * (time.process_time() - started) / 10 / workload.tasks
    profile = system.learner.profile(system.batches[0])
    peak = machine.measure().fastest
    print(profile, "", *by_kind(profile), "", sep="\n")
    print(f"{algorithm}: peak {peak:.0f} GFLOP/s; whole outer step, per task: {step:.1f} µs")


def by_kind(costs: Iterable[InstructionCost]) -> list[str]:
    """Return a table of instructions, microseconds, share and GFLOP/s of each kind."""
    kinds = {name: np.zeros(3) for name in (*PRODUCTS, *OTHERS.values(), "others")}
    for cost in costs:
        kinds[kind(cost.instruction)] += cost.calls, cost.microseconds, cost.multiply_adds
    lines = ["| | instructions | µs | | GFLOP/s |", "|---|---:|---:|---:|---:|"]
    whole = sum(kinds.values())
    for name, (calls, microseconds, products) in [*kinds.items(), ("**all**", whole)]:
        rate = f"{2e-3 * products / max(microseconds, 1e-9):.0f}" if products else ""
        share = microseconds / whole[1]
        lines.append(f"| {name} | {calls:.0f} | {microseconds:.1f} | {share:.0%} | {rate} |")
    return lines


def by_rows() -> list[str]:
    """Return a table of the large products' GFLOP/s in tasks of one length, exact MAML, 1 step."""
    lines = [f"| support rows | {' | '.join(PRODUCTS[:2])} | peak |", "|---:|---:|---:|---:|"]
    for rows in (1, 2, 3, 5, 10, 16, 36, 64, 100):
        workload, system = Workload(tasks=32, lengths=(rows, rows)), Metarec(1)
        system.prepare(workload, ALGORITHMS[0])
        profile = system.learner.profile(system.batches[0])
        rates = []
        for name in PRODUCTS[:2]:
            # The query has ten rows whatever the support has.
            costs = [c for c in profile if kind(c.instruction) == name and "S" in c.instruction]
            products = sum(cost.multiply_adds for cost in costs)
            rates.append(f"{2e-3 * products / sum(cost.microseconds for cost in costs):.0f}")
        lines.append(f"| {rows} | {' | '.join(rates)} | {machine.measure().fastest:.0f} |")
    return lines


def kind(instruction: str) -> str:
    """Return what an instruction is for, by the shapes in its text."""
    what, _, rest = instruction.partition(" ")
    if what != "gemm":
        return OTHERS.get(what, "others")
    shapes = re.findall(r"\[(\w+), (\w+)\]('?)", rest)
    (rows, columns, _), (first, second, transposed) = shapes[:2]
    inner = first if transposed else second
    if "1" in (rows, columns, inner):
        return PRODUCTS[4]
    # A letter is a size of the task: rows, or values of a table.
    if not (rows.isdigit() or columns.isdigit()):
        return PRODUCTS[2]
    if not inner.isdigit():
        return PRODUCTS[1 if rows.isdigit() else 3]
    return PRODUCTS[0]


if __name__ == "__main__":
    main()
