"""Speed against the peers, side by side in one run: the command behind docs' table.

    python python/benchmarks/speed.py --out build/bench [--short] [--only latency] [--clock cpu]

Every system runs in a process of its own, on as many processors as it has threads; blocks of outer
steps alternate between the systems, and medians are compared. Before anything is timed all
meta-gradients are checked to agree. Only ratios within one run mean something. On a machine that
others use, `--clock cpu` counts processor time instead.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import machine
import numpy as np
from check import check
from growth import measure_growth
from latency import measure_latency
from peers import available
from remote import Remote
from report import markdown, plot
from rewrites import measure_rewrites
from whole import measure_whole
from workload import ALGORITHMS, BLOCK, Algorithm, Workload

SECTIONS = ("training", "rewrites", "latency", "growth", "whole")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Speed against the peers, side by side in one run."
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for speed.md, speed.png, speed.json"
    )
    parser.add_argument("--short", action="store_true", help="under a minute: exact MAML, 1 step")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--systems", nargs="+", help="of the peers, only these")
    parser.add_argument("--algorithms", nargs="+", help="such as maml-1 fomaml-5; default: all")
    parser.add_argument("--threads", type=int, nargs="+", help="default: 1 2, short: 1")
    parser.add_argument("--rounds", type=int, help="alternations; default: 15, short: 5")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--add", action="store_true", help="to what the folder has: a run in parts")
    options = parser.parse_args()

    systems, missing = available()
    for name in missing:
        _log(f"skipped, not installed: {name}")
    if options.systems:
        systems = ["metarec", *(name for name in systems if name in options.systems)]
    algorithms = ALGORITHMS[:1] if options.short else ALGORITHMS
    if options.algorithms:
        algorithms = [a for a in ALGORITHMS if f"{a.name}-{a.steps}" in options.algorithms]
    threads = options.threads or ([1] if options.short else [1, 2])
    rounds = options.rounds or (5 if options.short else 15)

    results: dict[str, Any] = {
        "command": " ".join(["python", "python/benchmarks/speed.py", *sys.argv[1:]]),
        "machine": machine.describe(),
        "clock": options.clock,
        "missing": missing,
        "training": [],
        "rewrites": [],
    }
    peak = machine.measure()
    results |= {"peak": peak.flops, "bandwidth": peak.bandwidth, "peak_by": peak.how}
    if options.add and (options.out / "speed.json").exists():
        earlier = json.loads((options.out / "speed.json").read_text())
        results |= earlier | {"command": f"{earlier['command']}`, `{results['command']}"}
    if "training" in options.only:
        for algorithm in algorithms:
            for count in threads:
                clock = options.clock if count == 1 else "wall"
                found = _training(systems, algorithm, count, rounds, clock)
                _add(results["training"], found, "algorithm", "threads")
                _write(results, options.out)
    if "rewrites" in options.only:
        for found in measure_rewrites(
            short=options.short, rounds=min(rounds, 9), only=options.algorithms
        ):
            _add(results["rewrites"], found, "algorithm")
        _write(results, options.out)
    if "latency" in options.only:
        results["latency"] = measure_latency(systems, short=options.short)
        _write(results, options.out)
    if "growth" in options.only:
        results["growth"] = measure_growth(options.clock, short=options.short)
        _write(results, options.out)
    if "whole" in options.only:
        results["whole"] = measure_whole(short=options.short)
    _write(results, options.out)
    print((options.out / "speed.md").read_text())


def _training(
    names: list[str], algorithm: Algorithm, threads: int, rounds: int, clock: str
) -> dict[str, Any]:
    workload = Workload()
    systems, first = [], {}
    try:
        for name in names:
            system = Remote(name, threads)
            if system.prepare(workload, algorithm):
                systems.append(system)
            else:
                system.close()
        differences = check(systems, systems[0])
        for system in systems:
            first[system.name] = system.call("run", what="steps", count=BLOCK)
        peak = machine.measure()
        found: dict[str, Any] = {name: {} for name in first}
        for what in ("steps", "gradients"):
            for name, rates in _alternate(systems, what, workload, rounds, clock).items():
                found[name][what] = rates
        for system in systems:
            found[system.name] |= system.call("facts") | {
                **system.first,
                "first_seconds": first[system.name],
                "difference": differences.get(system.name, 0.0),
            }
    finally:
        for system in systems:
            system.close()
    mean_support = float(workload.support_counts.mean())
    rates = ", ".join(f"{name} {np.median(f['steps']):,.0f}" for name, f in found.items())
    _log(f"{algorithm}, {threads} threads: {rates} tasks/s")
    return {
        "algorithm": str(algorithm),
        "threads": threads,
        "mflop": algorithm.flops(mean_support, workload.query_rows) / 1e6,
        "peak": peak.flops,
        "traffic": workload.traffic(algorithm),
        "bandwidth": peak.bandwidth,
        "systems": found,
    }


def _alternate(
    systems: list[Remote], what: str, workload: Workload, rounds: int, clock: str
) -> dict[str, list[float]]:
    """Tasks a second of every block: `BLOCK` outer steps and a tenth of a second at least."""
    tasks = BLOCK * workload.batch_size
    blocks = {}
    for system in systems:
        system.call("run", what=what, count=BLOCK, clock=clock)  # compiles
        seconds = system.call("run", what=what, count=BLOCK, clock=clock)
        blocks[system.name] = max(1, min(20, round(0.1 / max(seconds, 1e-6))))
    rates: dict[str, list[float]] = {system.name: [] for system in systems}
    for number in range(rounds):
        for system in systems if number % 2 == 0 else reversed(systems):
            count = blocks[system.name]
            seconds = system.call("run", what=what, count=count * BLOCK, clock=clock)
            rates[system.name].append(count * tasks / seconds)
    return rates


def _add(rows: list[dict[str, Any]], row: dict[str, Any], *keys: str) -> None:
    """Put a row to the others, in the place of one for the same."""
    same = [i for i, other in enumerate(rows) if all(other[k] == row[k] for k in keys)]
    rows[slice(same[0], same[0] + 1) if same else slice(len(rows), None)] = [row]


def _write(results: dict[str, Any], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "speed.json").write_text(json.dumps(results, indent=1))
    (out / "speed.md").write_text(markdown(results))
    plot(results, out / "speed.png")


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
