"""Who may use a model now: any number of threads that read it, or one that fits it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

from metarec.errors import StateError


class Guard:
    """Lets threads read until one fits; that one waits for them and refuses all others.

    The fitting thread itself may read, so that callbacks can use the model.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # entering it is faster than entering the condition
        self._changed = threading.Condition(self._lock)
        self._depths: dict[int, int] = {}
        self._fitting: int | None = None

    def check(self) -> None:
        """Raise `StateError` where another thread fits the model."""
        fitting = self._fitting
        if fitting is not None and fitting != get_ident():
            raise StateError(
                "the model is being fitted by another thread; adapt and predict with a copy, or "
                "fit a copy"
            )

    def __enter__(self) -> None:
        """Read: nobody begins to fit until this ends."""
        me = get_ident()
        with self._lock:
            self.check()
            self._depths[me] = self._depths.get(me, 0) + 1

    def __exit__(self, *_: object) -> None:
        """Read no more."""
        me = get_ident()
        with self._lock:
            if self._depths[me] > 1:
                self._depths[me] -= 1
                return
            del self._depths[me]
            if self._fitting is not None:
                self._changed.notify()

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Fit, alone, once the reads that are under way have ended."""
        me = get_ident()
        with self._lock:
            self.check()
            outermost = self._fitting is None
            self._fitting = me
        try:
            with self._lock:
                while any(thread != me for thread in self._depths):
                    self._changed.wait()
            yield
        finally:
            if outermost:
                with self._lock:
                    self._fitting = None
