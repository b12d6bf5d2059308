"""Products and decompositions with the same bits for any number of threads.

NumPy's own are those of its BLAS, whose last bits follow the number of cores.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec

Element = TypeVar("Element", np.float32, np.float64)


def product(a: NDArray[Element], b: NDArray[Any], *, transposed: bool = False) -> NDArray[Element]:
    """Return ``a @ b``, or ``a.T @ b``, of the type of `a`, on as many threads as cores."""
    first = np.ascontiguousarray(a)
    second = first if b is a else np.ascontiguousarray(b, first.dtype)
    return _metarec.product(first, second, transposed, 0)


def orthonormal(a: NDArray[Any]) -> NDArray[np.float64]:
    """Return orthonormal columns of the same span; zeros for one that depends on those before."""
    return _metarec.orthonormal(np.ascontiguousarray(a, np.float64))


def eigenvectors(a: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues, largest first, and eigenvectors of a semidefinite matrix."""
    return _metarec.eigenvectors(np.ascontiguousarray(a, np.float64))
