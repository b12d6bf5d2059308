"""Tests on real data, where METAREC_DATA has it."""

import os
from pathlib import Path

import pytest

DATA = os.environ.get("METAREC_DATA", "")


def real(name):
    """Skip a test where there is no such data set."""
    reason = f"METAREC_DATA has no {name}"
    return pytest.mark.skipif(not Path(DATA, name).is_dir(), reason=reason)
