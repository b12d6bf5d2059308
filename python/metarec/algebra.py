"""Products and decompositions with the same bits for any number of threads.

NumPy's own are those of its BLAS, whose last bits follow the number of cores.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.errors import InvalidValueError

Element = TypeVar("Element", np.float32, np.float64)


def product(a: NDArray[Element], b: NDArray[Any], *, transposed: bool = False) -> NDArray[Element]:
    """Return ``a @ b``, or ``a.T @ b``, in the type of `a`, to which `b` is rounded."""
    first = np.ascontiguousarray(a)
    second = first if b is a else np.ascontiguousarray(b, first.dtype)
    return _metarec.product(first, second, transposed, 0)


def orthonormal(a: NDArray[Any]) -> NDArray[np.float64]:
    """Return orthonormal columns of the same span; zeros for one that depends on those before."""
    return _metarec.orthonormal(np.ascontiguousarray(a, np.float64))


def eigenvectors(a: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues, largest first, and eigenvectors of a symmetric matrix."""
    return _metarec.eigenvectors(np.ascontiguousarray(a, np.float64))


def principal_components(
    times: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    transposed_times: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    shape: tuple[int, int],
    count: int,
) -> NDArray[np.float64]:
    """Return the rows of a matrix in its `count` leading right singular directions, largest first.

    By subspace iteration, for a matrix that is given by its products; fewer columns where its rank
    is lower. Halko, Martinsson and Tropp, "Finding Structure with Randomness", SIAM Review, 2011.
    """
    basis = np.random.default_rng(0).normal(size=(shape[1], min(*shape, count + 32)))
    try:
        for _ in range(6):
            basis = transposed_times(times(orthonormal(basis)))
        found = times(orthonormal(basis))
        values, turned = eigenvectors(product(found, found, transposed=True))
    except InvalidValueError as error:
        raise InvalidValueError(f"data: features or weights are too large; {error}") from None
    kept = values > 1e-9 * values.max(initial=0)
    return product(found, turned[:, kept][:, :count])
