"""Products and decompositions beside NumPy's."""

import numpy as np
import pytest

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
    np.testing.assert_allclose(values, wanted[::-1].clip(0), atol=1e-10)
    np.testing.assert_allclose(vectors @ (values[:, None] * vectors.T), a @ a.T, atol=1e-10)


def test_bad_matrices_are_refused():
    with pytest.raises(InvalidValueError, match=r"b: .*\[terms, columns\]"):
        product(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(InvalidTypeError, match=r"a: .*float32 or float64"):
        product(np.ones((2, 3), int), np.ones((3, 2), int))
    with pytest.raises(InvalidValueError, match=r"matrix: \[2, 3\]"):
        eigenvectors(np.ones((2, 3)))
    for bad in (np.nan, np.inf, 1e200):
        with pytest.raises(InvalidValueError, match="matrix: expected finite"):
            orthonormal(np.full((2, 2), bad))
        with pytest.raises(InvalidValueError, match="matrix: expected finite"):
            eigenvectors(np.full((2, 2), bad))
