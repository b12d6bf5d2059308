"""Products and decompositions beside NumPy's."""

import numpy as np
import pytest

from metarec import _metarec
from metarec.algebra import eigenvectors, orthonormal, product
from metarec.errors import InvalidTypeError, InvalidValueError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "terms", "columns"), [(3, 4, 5), (200, 300, 400), (1, 1000, 1)])
def test_products_are_those_of_numpy(dtype, rows, terms, columns):
    random = np.random.default_rng(0)
    a = random.normal(size=(rows, terms)).astype(dtype)
    b = random.normal(size=(terms, columns)).astype(dtype)
    wanted = a.astype(np.float64) @ b
    error = 1e-12 if dtype == np.float64 else 1e-3
    found = product(a, b)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, atol=error)
    np.testing.assert_allclose(product(a.T, b, transposed=True), wanted, atol=error)
    gram = product(a, a, transposed=True)
    np.testing.assert_array_equal(gram, product(a, a.copy(), transposed=True))
    np.testing.assert_array_equal(gram, gram.T)


def test_nothing_is_a_sum_of_nothing():
    assert product(np.ones((2, 0)), np.ones((0, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert product(np.ones((0, 2)), np.ones((2, 3))).shape == (0, 3)
    assert orthonormal(np.ones((4, 0))).shape == (4, 0)
    assert orthonormal(np.zeros((4, 2))).tolist() == np.zeros((4, 2)).tolist()
    values, vectors = eigenvectors(np.zeros((2, 2)))
    assert values.tolist() == [0, 0] and vectors.shape == (2, 2)


def test_columns_become_orthonormal_though_nearly_dependent():
    random = np.random.default_rng(1)
    a = random.normal(size=(300, 40)) * np.logspace(0, -5, 40)
    a[:, 30] = a[:, 0] + 1e-2 * a[:, 30]
    q = orthonormal(a)
    np.testing.assert_allclose(q.T @ q, np.eye(40), atol=1e-12)
    np.testing.assert_allclose(q @ (q.T @ a), a, atol=1e-12)


def test_eigenvectors_are_those_of_numpy():
    a = np.random.default_rng(2).normal(size=(60, 50))
    values, vectors = eigenvectors(a @ a.T)
    wanted, _ = np.linalg.eigh(a @ a.T)
    np.testing.assert_allclose(values, wanted[::-1], atol=1e-10)
    np.testing.assert_allclose(vectors @ (values[:, None] * vectors.T), a @ a.T, atol=1e-10)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(60), atol=1e-12)


def test_bad_matrices_are_refused():
    with pytest.raises(InvalidValueError, match=r"b: .*\[terms, columns\]"):
        product(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(InvalidTypeError, match=r"a: .*float32 or float64"):
        product(np.ones((2, 3), int), np.ones((3, 2), int))
    with pytest.raises(InvalidValueError, match=r"matrix: \[2, 3\]"):
        eigenvectors(np.ones((2, 3)))
    with pytest.raises(InvalidValueError, match=r"matrix: \[1, 0\] is 0.0, \[0, 1\] is 5.0"):
        eigenvectors(np.array([[1, 5], [0, 1]]))
    for bad in (np.nan, np.inf):
        with pytest.raises(InvalidValueError, match="matrix: column 1 has a number that is not"):
            orthonormal(np.array([[1, bad], [0, 1]]))
        with pytest.raises(InvalidValueError, match="matrix: a number is not finite"):
            eigenvectors(np.full((2, 2), bad))
    with pytest.raises(InvalidValueError, match=r"transposed: got 2\.5, wanted True or False"):
        _metarec.product(np.ones((2, 2)), np.ones((2, 2)), 2.5, 1)


@pytest.mark.parametrize("shape", [(2**55, 0), (0, 2**55), (2**40, 0), (0, 2**31)])
def test_long_arrays_of_nothing_are_nothing(shape):
    a, b = np.zeros(shape), np.zeros((shape[1], 0))
    assert _metarec.product(a, np.zeros((shape[0], 0)), True, 2).shape == (shape[1], 0)
    assert _metarec.product(a, b, False, 2).shape == (shape[0], 0)
    assert orthonormal(a).shape == shape


def test_wide_matrices_and_many_rows():
    wide = orthonormal(np.ones((1, 200_000)))
    assert abs(wide[0, 0]) == 1 and not wide[0, 1:].any()
    long = orthonormal(np.stack([np.ones(100_000), 0.7 * np.ones(100_000)], 1))
    np.testing.assert_allclose(long.T @ long, [[1, 0], [0, 0]], atol=1e-12)
