r"""Items' content as vectors: principal components of a weighted sum of kernels, one a field.

Block b has a feature map whose rows have norm 1 (or 0, where nothing is known) and a weight
:math:`c_b`, by its kind: how much the mean ratings of two items that agree in it have in common.
The vectors are the leading principal components of :math:`\sum_b c_b K_b`, fitted on rated items.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.algebra import eigenvectors, orthonormal, product
from metarec.arrays import offsets_of
from metarec.features import Bag, Categorical, Dense, Field

Matrix = NDArray[np.float32]

#: How much a kind of block weighs, near the maximum of the marginal likelihood of the mean ratings
#: of MovieLens-1M's training items.
WEIGHTS = {"few": 0.07, "one": 0.005, "pairs": 0.01, "many": 0.03, "number": 0.007, "vector": 0.03}
#: Vectors of more values than this are many.
FEW_VALUES = 64
#: A block has at most so many columns: its most frequent values.
COLUMNS = 4096


def blocks(
    fields: Mapping[str, Field], columns: Mapping[str, NDArray[Any]]
) -> list[tuple[float, Matrix]]:
    """Return weight and feature map of every field, and of columns: words of texts, numbers."""
    found: list[tuple[str, Matrix]] = []
    for field in fields.values():
        if isinstance(field, Dense):
            vectors = field.vectors.astype(np.float64)
            found.append(("vector", (vectors - vectors.mean(0)).astype(np.float32)))
            continue
        block = _one_hot(*_bag(field), field.size)
        if field.size > FEW_VALUES:
            found.append(("many", block))
        elif isinstance(field, Bag):
            found += [("few", block), ("pairs", _pairs(block))]
        else:
            found.append(("one", block))
    for values in columns.values():
        if values.dtype.kind in "iuf":
            found.append(("number", _bumps(values.astype(np.float64))))
        else:
            found.append(("many", _tokens(values)))
    return [(WEIGHTS[kind], _unit(block)) for kind, block in found if block.shape[1]]


def components(
    maps: Sequence[tuple[float, Matrix]], rated: NDArray[np.bool_], count: int
) -> Matrix:
    """Return at most `count` principal components, of mean square norm 1 over the rated items."""
    if not maps or rated.sum() < 2:
        return np.zeros((len(rated), 0), np.float32)
    x = np.concatenate([np.float32(np.sqrt(weight)) * block for weight, block in maps], 1)
    x -= x[rated].mean(0)
    training = x[rated]
    by_items = len(training) < x.shape[1]
    long = np.ascontiguousarray(training.T) if by_items else training
    values, basis = _leading(product(long, long, transposed=True), count)
    del long
    kept = values > 1e-5 * values.max(initial=0)
    if not kept.any():
        return np.zeros((len(rated), 0), np.float32)
    basis = basis[:, kept]
    if by_items:
        basis = product(training, basis / np.sqrt(values[kept]), transposed=True)
    result = product(x, basis)
    return np.ascontiguousarray(result / np.sqrt((result[rated] ** 2).sum(1).mean()), np.float32)


def _leading(
    gram: Matrix, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float32] | NDArray[np.float64]]:
    """Return the `count` largest eigenvalues, descending, and their vectors, by subspace iteration.

    Halko, Martinsson and Tropp, "Finding Structure with Randomness", SIAM Review, 2011.
    """
    size = min(len(gram), count + 32)
    basis = np.random.default_rng(0).normal(size=(len(gram), size))
    for _ in range(7):
        basis = orthonormal(product(gram, basis))
    values, turned = eigenvectors(product(basis, product(gram, basis), transposed=True))
    return values[:count], product(basis, turned[:, :count])


def _bag(field: Categorical | Bag) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    if isinstance(field, Bag):
        return field.ids, field.offsets
    known = field.ids >= 0
    return field.ids[known], offsets_of(known.astype(np.int64))


def _one_hot(ids: NDArray[np.int32], offsets: NDArray[np.int64], size: int) -> Matrix:
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    rows, ids = rows[ids >= 0], ids[ids >= 0]
    frequency = np.bincount(ids, minlength=size)
    # A value that one item alone has says nothing of others.
    kept = np.flatnonzero(frequency > 1)
    kept = kept[np.argsort(-frequency[kept], kind="stable")[:COLUMNS]]
    place = np.full(size, -1)
    place[kept] = np.arange(len(kept))
    found = place[ids] >= 0
    block = np.zeros((len(offsets) - 1, len(kept)), np.float32)
    block[rows[found], place[ids[found]]] = 1
    return block


def _pairs(block: Matrix) -> Matrix:
    first, second = np.triu_indices(block.shape[1], 1)
    frequency = product(block, block, transposed=True)[first, second]
    kept = np.argsort(-frequency, kind="stable")[: min(COLUMNS, int((frequency > 1).sum()))]
    return block[:, first[kept]] * block[:, second[kept]]


def _bumps(values: NDArray[np.float64]) -> Matrix:
    """Gaussian bumps over the range of a number, half a deviation wide; unknown: none."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros((len(values), 0), np.float32)
    low, high = np.quantile(values[known], [0.01, 0.99])
    width = max(values[known].std() / 2, 1e-9)
    centers = np.arange(low, high + width, width / 1.5)[:64]
    with np.errstate(invalid="ignore"):
        bumps = np.exp(-0.5 * ((values[:, None] - centers) / width) ** 2)
    return np.where(known[:, None], bumps, 0).astype(np.float32)


def _tokens(values: NDArray[Any]) -> Matrix:
    """Words of texts; of lists, their elements."""
    lists = [
        [str(each) for each in value]
        if isinstance(value, (list, tuple, np.ndarray))
        else re.findall(r"\w+", str(value).lower())
        if value is not None
        else []
        for value in values.tolist()
    ]
    words = {word: number for number, word in enumerate(sorted({w for row in lists for w in row}))}
    ids = np.array([words[word] for row in lists for word in row], np.int32)
    return _one_hot(ids, offsets_of(np.array([len(row) for row in lists])), len(words))


def _unit(block: Matrix) -> Matrix:
    norm = np.linalg.norm(block, axis=1, keepdims=True)
    return (block / np.where(norm > 0, norm, 1)).astype(np.float32)
