"""Ridge regression of ratings on the items' content."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.algebra import principal_components
from metarec.arrays import as_count
from metarec.baselines.als import as_threads
from metarec.baselines.bias import Bias
from metarec.baselines.extra import sparse
from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.errors import InvalidValueError
from metarec.estimator import Estimator
from metarec.features import Bag, Categorical, FeatureTable
from metarec.splits import Splits
from metarec.tasks import TaskSet


class ContentRidge(Estimator):
    r"""Ridge regression on the items' features, of the items' offsets and of every user's ratings.

    An item with training ratings keeps its offset b of `Bias`; of a new one it is
    :math:`\beta \cdot x_i`, a ridge regression of the offsets on the features x. A task's support
    gives its user an offset and a vector of his own,

    .. math:: \hat r_{ui} = \mu + b_i + b_u + \gamma_u \cdot x_i .

    Fields are blocks of x, each of length one; for γ the leading principal components of x are
    used. Needs the extra ``metarec[baselines]`` (SciPy).

    Parameters
    ----------
    item_penalty : float
        Of the squares of β.
    user_penalty : float
        Of the squares of γ.
    components : int
        Principal components.
    threads : int, optional
        None: as many as cores.
    """

    def __init__(
        self,
        *,
        item_penalty: float = 10.0,
        user_penalty: float = 10.0,
        components: int = 64,
        threads: int | None = None,
    ) -> None:
        self.item_penalty, self.user_penalty = item_penalty, user_penalty
        self.components, self.threads = components, threads

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        for name in ("item_penalty", "user_penalty"):
            if not 0 < getattr(self, name) < np.inf:
                raise InvalidValueError(f"{name}: got {getattr(self, name)}, wanted above 0")
        bias = Bias().fit(dataset)
        counts = np.bincount(dataset.item, minlength=dataset.item_count)
        content = content_matrix(dataset.items)
        offsets = bias.item_offsets_.copy()
        weights = np.sqrt(counts / (counts + bias.item_shrinkage))
        slopes = _ridge(content, weights**2, offsets, self.item_penalty)
        offsets[counts == 0] = (content @ slopes)[counts == 0]
        vectors = principal_components(
            lambda x: np.asarray(content @ x),
            lambda y: np.asarray(content.T @ y),
            content.shape,
            as_count(self.components, "components", 1),
        )
        rows = np.zeros((1, len(offsets) + 1, vectors.shape[1] + 1), np.float32)
        rows[0, :-1, 0], rows[0, :-1, 1:] = offsets, vectors
        penalties = np.full(vectors.shape[1] + 1, self.user_penalty)
        penalties[0] = bias.user_shrinkage
        self._factors = {
            "item_factors": rows,
            "item_novelty": np.zeros(len(offsets) + 1, np.float32),
            "user_weights": np.zeros((1, 1, rows.shape[2]), np.float32),
            "user_precision": np.diag(penalties)[None],
            "noise": np.ones(1),
            "content_noise": np.zeros(1),
            "mean": bias.mean_,
        }

    def _predict(self, tasks: TaskSet) -> Floats:
        return _metarec.fold_in(self._factors, tasks.native, as_threads(self.threads), False)[0]


def _ridge(x: Any, weights: Floats, y: Floats, penalty: float) -> Floats:
    """Return β with (Xᵀ W X + penalty) β = Xᵀ W y, by conjugate gradients."""
    slopes = np.zeros(x.shape[1])
    rest = np.asarray(x.T @ (weights * y))
    way, size = rest, np.square(rest).sum()
    wanted = 1e-20 * size
    for _ in range(10 * len(slopes)):
        if not size > wanted:  # NaN too
            break
        turned = np.asarray(x.T @ (weights * (x @ way))) + penalty * way
        step = size / np.sum(way * turned)
        slopes, rest = slopes + step * way, rest - step * turned
        before, size = size, np.square(rest).sum()
        way = rest + size / before * way
    return slopes


def content_matrix(items: FeatureTable) -> Any:
    """Return the items' features as a sparse matrix, a block of length one a field."""
    blocks = []
    for field in items.fields.values():
        if isinstance(field, Categorical):
            offsets = np.arange(field.rows + 1)
            blocks.append(_indicators(field.ids, offsets, field.size))
        elif isinstance(field, Bag):
            blocks.append(_indicators(field.ids, field.offsets, field.size))
        else:
            known = np.count_nonzero(field.vectors, axis=1) > 0
            centred = np.where(known[:, None], field.vectors - field.vectors[known].mean(0), 0.0)
            scale = np.sqrt(max(np.square(centred).sum() / max(known.sum(), 1), 1e-12))
            blocks.append(sparse().csr_matrix(centred / scale))
    return sparse().hstack(blocks, format="csr")


def _indicators(ids: NDArray[Any], offsets: NDArray[Any], size: int) -> Any:
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[ids >= 0]
    counts = np.bincount(rows, minlength=len(offsets) - 1)
    values = 1 / np.sqrt(counts[rows])
    return sparse().csr_matrix((values, (rows, ids[ids >= 0])), (len(offsets) - 1, size))
