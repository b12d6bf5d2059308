"""A progress bar over one long call."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from metarec.errors import InvalidTypeError
from metarec.training import Progress

Report = Callable[[float, float], None]


@contextmanager
def progress_bar(progress: Progress, label: str, figure: str = "rmse") -> Iterator[Report | None]:
    """Yield what a native call is to report to, (fraction, `figure`), or None if nobody looks."""
    if progress not in (True, False, "auto"):
        raise InvalidTypeError(f"progress: expected 'auto', True or False, got {progress!r}")
    seen = "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
    if progress is False or (progress == "auto" and not seen):
        yield None
        return
    from tqdm.auto import tqdm

    form = "{l_bar}{bar}| [{elapsed}<{remaining}{postfix}]"
    with tqdm(total=1.0, desc=label, bar_format=form) as bar:

        def report(fraction: float, value: float) -> None:
            bar.n = fraction
            if np.isfinite(value):
                bar.set_postfix({figure: f"{value:.4f}"}, refresh=False)
            bar.refresh()

        yield report
        bar.n = 1.0
        bar.refresh()
