"""How far something is: a bar where somebody sees it, a few lines where a log keeps them."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import numpy as np

from metarec.errors import InvalidTypeError

Progress = bool | Literal["auto"]
Report = Callable[[float, float], None]

#: A log gets a line for each so large a part of the whole.
_PART = 0.05


class Bar(Protocol):
    """What shows that `n` of a total is done."""

    n: float

    def show(self, n: float, figures: Mapping[str, float]) -> None:
        """Show that so much is done, with figures beside it."""


@contextmanager
def bar(progress: Progress, total: float, label: str, unit: str = "") -> Iterator[Bar | None]:
    """Yield a bar, or None if nobody looks.

    "auto": a bar in a terminal and in a notebook, else nothing. True: where it goes to a file or a
    pipe, at most twenty lines.
    """
    if progress not in (True, False, "auto"):
        raise InvalidTypeError(f"progress: expected 'auto', True or False, got {progress!r}")
    stream = sys.stderr
    seen = "ipykernel" in sys.modules or (stream is not None and stream.isatty())
    if progress is False or stream is None or (progress == "auto" and not seen):
        yield None
        return
    if not seen:
        yield _Lines(stream, total, label, unit)
        return
    from tqdm.auto import tqdm

    count = f" {{n:.1f}}/{{total}} {unit}" if unit else ""
    form = f"{{l_bar}}{{bar}}|{count} [{{elapsed}}<{{remaining}}{{postfix}}]"
    with tqdm(total=total, desc=label, bar_format=form) as shown:
        yield _Tqdm(shown)
        shown.refresh()


@contextmanager
def progress_bar(progress: Progress, label: str, figure: str = "rmse") -> Iterator[Report | None]:
    """Yield what a native call is to report to, (fraction, `figure`), or None if nobody looks."""
    with bar(progress, 1.0, label) as shown:
        if shown is None:
            yield None
            return
        last = {figure: np.nan}

        def report(fraction: float, value: float) -> None:
            last[figure] = value
            shown.show(fraction, last)

        yield report
        shown.show(1.0, last)


class _Tqdm:
    """A bar of tqdm."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self.n = 0.0

    def show(self, n: float, figures: Mapping[str, float]) -> None:
        self.n = self._shown.n = n
        told = {name: f"{value:.4f}" for name, value in figures.items() if np.isfinite(value)}
        if told:
            self._shown.set_postfix(told, refresh=False)
        self._shown.refresh()


class _Lines:
    """Lines of a log."""

    def __init__(self, stream: Any, total: float, label: str, unit: str) -> None:
        self._stream, self._total, self._label, self._unit = stream, total, label, unit
        self._started, self._told = time.monotonic(), 0.0
        self.n = 0.0

    def show(self, n: float, figures: Mapping[str, float]) -> None:
        self.n = n
        if self._unit and n != int(n):
            return
        due = self._told + max(_PART * self._total, 1.0 if self._unit else 0.0)
        done = n >= self._total > self._told
        if n < due - 1e-9 and not done:
            return
        self._told = n
        count = f"{n:.1f}/{self._total} {self._unit}" if self._unit else f"{n / self._total:.0%}"
        told = [f"{name}={value:.4f}" for name, value in figures.items() if np.isfinite(value)]
        seconds = f"{time.monotonic() - self._started:.0f} s"
        label = f"{self._label}: " if self._label else ""
        print(f"{label}{', '.join([count, seconds, *told])}", file=self._stream, flush=True)
