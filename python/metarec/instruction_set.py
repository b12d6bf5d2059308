"""The processor's instructions that the kernels use: the best, or what METAREC_ISA names."""

import os
import warnings

from metarec import _metarec


def check_forced() -> None:
    """Warn where METAREC_ISA names what this processor or metarec does not have."""
    forced, used = os.environ.get("METAREC_ISA"), _metarec.isa()
    if forced and forced != used:
        warnings.warn(
            f"METAREC_ISA: expected baseline, avx2 or avx512, and one that this processor runs, "
            f"got {forced!r}; {used} is in use",
            stacklevel=3,
        )
