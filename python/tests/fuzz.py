"""Calls every function of the native module with what nobody should pass, and checks every refusal.

`python fuzz.py --calls 1000000`: runs the calls in processes of their own, so that a crash is a
result, and prints what was found with the command that shows it again.
"""

import argparse
import contextlib
import faulthandler
import json
import mmap
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

BLOCK = 1000  # calls on the same shared objects; the smallest part that can be repeated
STOP_AFTER = 0.5  # seconds, as if by Ctrl-C
HUNG_AFTER = 90.0  # seconds without the end of a call
FOUND_AT_MOST = 40
MEMORY = 6 << 30  # bytes of address space: what does not fit is to be refused
COSTLY = ("Learner.initialize",)  # a thousand times what the others cost: called less often


class Stopped(Exception):
    """A call took long and was stopped."""


# --- the calls ------------------------------------------------------------------------------------


class Fuzzer:
    """Makes the calls of blocks, counts outcomes, remembers what should not be."""

    def __init__(self, seed: int, only: str | None, told: Any) -> None:
        from native_calls import exported

        self.seed, self.told = seed, told
        self.names = [name for name in exported() if only is None or re.fullmatch(only, name)]
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.findings: dict[str, str] = {}
        self.started = 0.0
        signal.signal(signal.SIGALRM, self.stop)
        signal.setitimer(signal.ITIMER_REAL, STOP_AFTER / 2, STOP_AFTER / 2)

    def stop(self, *_: Any) -> None:
        if self.started and time.monotonic() - self.started > STOP_AFTER:
            self.started = 0.0
            raise Stopped

    def block(self, first: int, count: int) -> None:
        from native_calls import World

        world = World(Random(f"{self.seed} {first}"))
        for index in range(first, first + count):
            world.random = Random(f"{self.seed} {index}")
            self.told(index)
            name = world.random.choice(self.names)
            if name in COSTLY and world.random.random() < 0.9:
                name = world.random.choice(self.names)
            with contextlib.suppress(Stopped):  # told too late, the call has ended
                self.call(world, name, index)
            if not world.whole():
                world = World(world.random)

    def call(self, world: Any, name: str, index: int) -> None:
        from native_calls import good_call

        from metarec.errors import MetarecError

        try:
            call = good_call(world, name)
        except MetarecError:  # of a learner that earlier calls have spoiled
            self.outcomes[name, "not made"] += 1
            return
        arguments, keywords = hostile_arguments(world, call)
        try:
            if world.random.random() < 0.05:
                world.change_buffer()
            self.started = time.monotonic()
            call.target(*arguments, **keywords)
            outcome = "done"
        except Exception as error:
            outcome = type(error).__name__
            if complaint := judged(error, call, [*arguments, *keywords.values()]):
                self.found(name, index, f"{complaint}: {outcome}: {error!s:.300}")
        finally:
            self.started = 0.0
            world.restore()
        self.outcomes[name, outcome] += 1

    def found(self, name: str, index: int, text: str) -> None:
        key = f"{name}: {re.sub(r'[0-9]+', '#', text)[:90]}"
        if key not in self.findings and len(self.findings) < FOUND_AT_MOST:
            self.findings[key] = f"call {index}, {name}: {text}"


def hostile_arguments(world: Any, call: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The good arguments, some of them spoiled, left out or given twice."""
    from hostile import junk, spoil

    random, keywords = world.random, dict(call.arguments)
    for _ in range(random.choice([0, 1, 1, 1, 1, 2, 3]) if keywords else 0):
        name = random.choice(list(keywords))
        keywords[name] = spoil(keywords[name], random)
        if isinstance(call.arguments[name], int | float) and random.random() < 0.05:
            keywords[name] = world.reentrant()
    way = random.random()
    if way < 0.02 and keywords:
        del keywords[random.choice(list(keywords))]
    elif way < 0.03:
        keywords[random.choice(["nobody", "self", "items"])] = junk(random)
    elif way < 0.04 or call.by_position:
        return tuple(keywords.values()), {}
    return (), keywords


def judged(error: Exception, call: Any, given: list[Any]) -> str | None:
    """What is wrong with a refusal: its type, or that it names no argument."""
    from hostile import Mischief, Number, Pairs

    from metarec.errors import MetarecError, NumericalError, StateError

    if isinstance(error, Mischief | Stopped):
        return None
    if isinstance(error, AttributeError) and "deleted" in str(error):
        return None
    if not isinstance(error, MetarecError | TypeError | ValueError):
        return "not an error of metarec"
    words = {*call.arguments, *call.words, "argument", "arguments", "result"}
    words |= {"Features", "Tasks", "Learner", "Adapted"}
    # They are a part of tasks, of which a number that calls back makes predictions.
    calls_back = any(isinstance(value, Number) for value in given)
    words |= {"targets"} if calls_back or "tasks" in call.arguments else set()
    if isinstance(error, StateError | NumericalError):  # about an object, not about an argument
        words |= {"TaskSet", "model", "learner", "loss", "meta-gradient", "adaptation", "ratings"}
    for value in given:  # what is named in a mapping, as options are
        pairs = value.found if isinstance(value, Pairs) else value
        if isinstance(pairs, dict | list):
            words |= {str(pair[0] if isinstance(pair, tuple) and pair else pair) for pair in pairs}
    said = str(error)
    if any(re.search(rf"(?<!\w){re.escape(word[:100])}", said) for word in words if word):
        return None
    return "names no argument"


# --- one process ----------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_here(seed: int, first: int, calls: int, only: str | None, where: str) -> None:
    """Make the calls first, first + 1, ...; tell in a file how far this is, at last what came."""
    faulthandler.enable()
    if "METAREC_FUZZ_UNLIMITED" not in os.environ:  # sanitizers reserve all addresses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with open(where, "r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)

        def told(index: int) -> None:
            shared[:8] = index.to_bytes(8, "little")

        fuzzer = Fuzzer(seed, only, told)
        memory = []
        for start in range(first, first + calls, BLOCK):
            fuzzer.block(start, min(BLOCK, first + calls - start))
            memory.append(resident())
        signal.setitimer(signal.ITIMER_REAL, 0)
    result = {
        "outcomes": [[*key, count] for key, count in fuzzer.outcomes.items()],
        "findings": list(fuzzer.findings.values()),
        "memory": memory,
    }
    print(json.dumps(result))


# --- all of them ----------------------------------------------------------------------------------


def run_apart(seed: int, first: int, calls: int, only: str | None, script: str) -> dict[str, Any]:
    """The same in a process of its own; a crash or a hang is a finding."""
    with tempfile.NamedTemporaryFile() as progress, tempfile.TemporaryFile() as out:
        progress.write(bytes(8))
        progress.flush()
        command = [sys.executable, *(["-P"] if sys.flags.safe_path else []), script]
        command += ["--here", progress.name, "--seed", str(seed), "--first", str(first)]
        command += ["--calls", str(calls)] + (["--only", only] if only else [])
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdout=out, stderr=errors)
            last, since, hung = b"", time.monotonic(), False
            while True:
                try:
                    process.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    now = Path(progress.name).read_bytes()
                    if now != last:
                        last, since = now, time.monotonic()
                    elif time.monotonic() - since > HUNG_AFTER:
                        hung = True
                        process.send_signal(signal.SIGABRT)  # faulthandler tells where
                        process.wait()
                        break
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        if process.returncode == 0 and not hung:
            out.seek(0)
            return dict(json.loads(out.read()), calls=calls)
        at = int.from_bytes(Path(progress.name).read_bytes(), "little")
        what = "hung" if hung else f"ended with status {process.returncode}"
        return {
            "outcomes": [],
            "findings": [f"call {at} {what}: {said[-3000:]}"],
            "memory": [],
            "calls": max(at - first, 0),
            "resume": at // BLOCK * BLOCK + BLOCK,
        }


def run(
    seed: int, first: int, calls: int, only: str | None, chunk: int, script: str = __file__
) -> dict[str, Any]:
    """Make all calls, `chunk` in a process; go on behind a crash."""
    outcomes: Counter[tuple[str, str]] = Counter()
    findings: list[str] = []
    memory: list[list[int]] = []
    made, start, end = 0, first, first + calls
    while start < end and len(findings) < FOUND_AT_MOST:
        part = run_apart(seed, start, min(chunk, end - start), only, script)
        made += part["calls"]
        for name, outcome, count in part["outcomes"]:
            outcomes[name, outcome] += count
        findings += part["findings"]
        memory.append(part["memory"])
        start = part.get("resume", start + chunk)
        for finding in part["findings"]:
            print(f"FOUND {finding}", file=sys.stderr, flush=True)
        if calls > chunk:
            print(f"{made} calls, {len(findings)} found", file=sys.stderr, flush=True)
    growth = [(part[-1] - part[len(part) // 5]) / 2**20 for part in memory if len(part) >= 10]
    for mebibytes in growth:
        if mebibytes > 16:
            findings.append(f"memory grew by {mebibytes:.1f} MiB")
    return {"calls": made, "outcomes": outcomes, "findings": findings, "growth": growth}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="a regular expression of names")
    parser.add_argument("--chunk", type=int, default=200_000, help="calls in a process")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.here:
        run_here(chosen.seed, chosen.first, chosen.calls, chosen.only, chosen.here)
        return 0
    began = time.monotonic()
    result = run(chosen.seed, chosen.first, chosen.calls, chosen.only, chosen.chunk)
    names: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for (name, outcome), count in result["outcomes"].items():
        names[name] += count
        kinds[outcome] += count
    for kind, count in kinds.most_common():
        print(f"{count:9} {kind}")
    grown = ", ".join(f"{value:.1f}" for value in result["growth"]) or "not measured"
    print(f"{result['calls']} calls of {len(names)} functions in {time.monotonic() - began:.0f} s")
    print(f"memory grew by {grown} MiB in the last four fifths of each process")
    for finding in dict.fromkeys(result["findings"]):
        print(f"FOUND {finding}\n  again: fuzz.py --seed {chosen.seed} --first N --calls {BLOCK}")
    return 1 if result["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
