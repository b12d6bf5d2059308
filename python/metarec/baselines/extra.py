"""Libraries of the extra ``metarec[baselines]``, imported where they are used."""

from typing import Any

from metarec.errors import MissingDependencyError


def sparse() -> Any:
    """Return `scipy.sparse`."""
    try:
        import scipy.sparse.linalg
    except ImportError as error:
        raise _missing("scipy") from error
    return scipy.sparse


def implicit() -> Any:
    """Return the library `implicit`, with its module of alternating least squares."""
    try:
        import implicit.als
    except ImportError as error:
        raise _missing("implicit") from error
    return implicit


def _missing(name: str) -> MissingDependencyError:
    return MissingDependencyError(f"this baseline needs {name}: pip install 'metarec[baselines]'")
