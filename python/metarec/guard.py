"""Who may use a model now: any number of threads that read it, or one that fits it."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from metarec.errors import StateError


class Guard:
    """Lets threads read until one fits; that one waits for them, and meanwhile and after refuses.

    The fitting thread itself may read, so that callbacks can use the model.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reading: Counter[int] = Counter()
        self._fitting: int | None = None

    def check(self) -> None:
        """Raise `StateError` where another thread fits the model."""
        if self._fitting not in (None, threading.get_ident()):
            raise StateError(
                "the model is being fitted by another thread; adapt and predict with a copy, or "
                "fit a copy"
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read: nobody begins to fit until this ends."""
        me = threading.get_ident()
        with self._changed:
            self.check()
            self._reading[me] += 1
        try:
            yield
        finally:
            with self._changed:
                self._reading[me] -= 1
                if not self._reading[me]:
                    del self._reading[me]
                self._changed.notify_all()

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Fit, alone, once the reads that are under way have ended."""
        me = threading.get_ident()
        with self._changed:
            self.check()
            outermost = self._fitting is None
            self._fitting = me
        try:
            with self._changed:
                while any(thread != me for thread in self._reading):
                    self._changed.wait()
            yield
        finally:
            if outermost:
                with self._changed:
                    self._fitting = None
