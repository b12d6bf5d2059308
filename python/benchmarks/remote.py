"""A system in its own process."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from workload import Algorithm, Parameters, Workload


class Remote:
    """Starts the worker of one system, and calls it."""

    def __init__(self, name: str, threads: int, **environment: str) -> None:
        self.name, self.threads = name, threads
        self.started = time.perf_counter()
        worker = Path(__file__).with_name("worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(worker), name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def call(self, command: str, **arguments: Any) -> Any:
        """Call a method of the worker and return its result."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name}: the worker ended during {command}")
        return json.loads(answer)

    def prepare(self, workload: Workload, algorithm: Algorithm) -> bool:
        """Set up training; False if the system does not do this algorithm."""
        options = {name: getattr(workload, name) for name in workload.__dataclass_fields__}
        answer = self.call("prepare", workload=options, algorithm=[algorithm.name, algorithm.steps])
        self.first = {"prepare_seconds": answer.get("seconds", 0.0)}
        return bool(answer["supported"])

    def gradient(self) -> Parameters:
        """Return the meta-gradient of the first batch."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "gradient.npz")
            self.first.setdefault("gradient_seconds", self.call("gradient", path=str(path)))
            with np.load(path) as arrays:
                return dict(arrays)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
