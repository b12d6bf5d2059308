"""What the machine can do in this run: multiply-adds of one core, bytes from memory, a second.

A C probe, compiled by the compiler found here. Without one, the peak is that of a large matrix
product, and is said to be. Run as a script it is a process of its own, so that it shares a core
with nobody.
"""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Peak:
    """What one core can do."""

    #: GFLOP/s, median and fastest of several rounds.
    flops: float
    fastest: float
    #: GB/s.
    bandwidth: float
    how: str


def main() -> None:
    """Print the fields of a `Peak`, for one thread on the first processor."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    probe = _compiled()
    if probe is None:
        a, b = np.random.default_rng(0).random((2, 1024, 1024), np.float32)
        rates = [2 * 1024**3 / _seconds(lambda: a @ b) for _ in range(9)]
        how = "a large NumPy product"
    else:
        probe.multiply_add.restype = ctypes.c_double
        probe.multiply_add.argtypes = [ctypes.c_long, ctypes.c_void_p]
        out = np.full(64, 0.5, np.float32)
        done = [0.0]

        def run() -> None:
            done[0] = probe.multiply_add(1_000_000, out.ctypes.data)

        rates = [done[0] / s for s in [_seconds(run) for _ in range(15)]]
        how = "multiply-adds in registers"
    print(np.median(rates) / 1e9, max(rates) / 1e9, _bandwidth(probe) / 1e9, how)


def _bandwidth(probe: ctypes.CDLL | None) -> float:
    """Bytes a second of a = b + s c, three arrays of 128 MiB."""
    n = 32 << 20
    a, b, c = (np.ones(n, np.float32) for _ in range(3))
    if probe is None:
        return float(
            np.median([3 * 4 * n / _seconds(lambda: np.add(b, c, out=a)) for _ in range(5)])
        )
    probe.triad.argtypes = [ctypes.c_size_t, ctypes.c_float] + 3 * [ctypes.c_void_p]
    arguments = (n, 0.5, a.ctypes.data, b.ctypes.data, c.ctypes.data)
    return float(
        np.median([3 * 4 * n / _seconds(lambda: probe.triad(*arguments)) for _ in range(5)])
    )


def _seconds(action) -> float:
    """Of the processor: what others do on it meanwhile does not count."""
    started = time.process_time()
    action()
    return time.process_time() - started


def _compiled() -> ctypes.CDLL | None:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "probe.so")
        source = Path(__file__).with_name("probe.c")
        flags = [
            "-O3",
            "-march=native",
            "-ffp-contract=fast",
            "-mprefer-vector-width=512",
            "-shared",
            "-fPIC",
        ]
        if platform.machine() != "x86_64":
            flags.remove("-mprefer-vector-width=512")
        built = subprocess.run(
            [compiler, *flags, "-o", str(library), str(source)], capture_output=True
        )
        return ctypes.CDLL(str(library)) if built.returncode == 0 else None


def measure() -> Peak:
    """Return what one core does in a process of its own."""
    out = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, check=True
    ).stdout
    flops, fastest, bandwidth, how = out.split(" ", 3)
    return Peak(float(flops), float(fastest), float(bandwidth), how.strip())


def describe() -> str:
    """Return the processor's name and number."""
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} processors"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
