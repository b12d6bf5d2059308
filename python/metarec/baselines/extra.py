"""Libraries of the extra ``metarec[baselines]``, imported where they are used."""

from contextlib import AbstractContextManager
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


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep BLAS to one thread, as `implicit`, whose own threads call it, wants."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise _missing("implicit") from error
    limits: AbstractContextManager[Any] = threadpool_limits(1, "blas")
    return limits


def _missing(name: str) -> MissingDependencyError:
    return MissingDependencyError(f"this baseline needs {name}: pip install 'metarec[baselines]'")
