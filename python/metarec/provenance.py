"""What a model was trained on: which rows of which data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count
from metarec.errors import InvalidValueError

if TYPE_CHECKING:
    from metarec.dataset import Dataset
    from metarec.features import FeatureTable
    from metarec.tasks import TaskSet


class Provenance:
    """The ratings that something was made of: rows of a data set, known by its fingerprint.

    An estimator keeps it in the attribute ``trained_on_`` when it is fitted, so that `evaluate` can
    tell whether it has seen what it is tested on. It costs a byte for each rating of the data.

    Examples
    --------
    >>> import metarec as mr
    >>> data = mr.datasets.synthetic(users=50, items=40, seed=0)
    >>> fives = data.view(data.rating == 5)
    >>> int(Provenance.of(fives).mask.sum()) == len(fives)
    True
    """

    def __init__(self, data: Dataset | str, mask: NDArray[np.bool_]) -> None:
        self._data, self.mask = data, mask

    @classmethod
    def of(cls, ratings: Dataset | TaskSet) -> Provenance | None:
        """Return where ratings come from; None for tasks that were not made from a `Dataset`."""
        found = _source(ratings)
        if found is None:
            return None
        data, rows = found
        mask = np.zeros(len(data), np.bool_)
        mask[rows] = True
        return cls(data, mask)

    @classmethod
    def with_more(cls, known: Provenance | None, ratings: Dataset | TaskSet) -> Provenance | None:
        """Return `known` with more ratings added to it; None where it cannot be told of both."""
        found = _source(ratings)
        if known is None or found is None or not known.is_of(found[0]):
            return None
        known.mask[found[1]] = True
        return known

    @property
    def data(self) -> Dataset | None:
        """The data itself; None of a model from a file, which knows its fingerprint alone."""
        return None if isinstance(self._data, str) else self._data

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the data."""
        return self._data if isinstance(self._data, str) else self._data.fingerprint

    def is_of(self, data: Dataset) -> bool:
        """Whether these are rows of `data`, the same object or one of the same content."""
        return self._data is data.root or (
            len(self.mask) == len(data.root) and self.fingerprint == data.fingerprint
        )

    # In files a bit for each rating.

    def state(self) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Return an array and a JSON-able dict from which `from_state` makes this again."""
        about = {"data": self.fingerprint, "ratings": len(self.mask)}
        return np.packbits(self.mask), about

    @classmethod
    def from_state(cls, bits: NDArray[np.uint8], about: Mapping[str, Any]) -> Provenance:
        """Return what `state` told.

        Raises
        ------
        InvalidValueError
            The array is not of so many ratings.
        """
        size = as_count(about["ratings"], "trained_on")
        if bits.dtype != np.uint8 or bits.shape != ((size + 7) // 8,):
            raise InvalidValueError(
                f"trained_on: {bits.dtype.name} {list(bits.shape)}, wanted bits of {size} ratings"
            )
        return cls(str(about["data"]), np.unpackbits(bits, count=size).astype(np.bool_))

    def __getstate__(self) -> dict[str, Any]:
        return {"_data": self.fingerprint, "mask": self.mask}

    def __repr__(self) -> str:
        count = int(np.count_nonzero(self.mask))
        return f"Provenance({count:,} of {len(self.mask):,} ratings)"


def _source(ratings: Dataset | TaskSet) -> tuple[Dataset, NDArray[np.int64]] | None:
    from metarec.tasks import TaskSet

    if not isinstance(ratings, TaskSet):
        return ratings.root, ratings.rows
    if ratings.source is None or ratings.task_ids is None:
        return ratings.source
    data, rows = ratings.source
    return data, rows[np.concatenate([ratings.support()[0], ratings.query()[0]])]


def fingerprint(data: Dataset) -> str:
    """Return a hash of ratings, ids and features: 16 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=8)

    def add(array: NDArray[Any] | None) -> None:
        if array is None:
            digest.update(b"none")
        elif array.dtype.kind == "O":
            digest.update("\0".join(map(repr, array.tolist())).encode("utf-8", "surrogatepass"))
        else:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)

    def table(features: FeatureTable | None) -> None:
        for name, field in () if features is None else features.fields.items():
            digest.update(f"{name} {field.kind} {field.size}".encode())
            for part in ("ids", "offsets", "vectors"):
                add(getattr(field, part, None))

    for array in (data.user, data.item, data.rating, data.timestamp):
        add(array)
    add(data.user_ids(np.arange(data.user_count)))
    add(data.item_ids(np.arange(data.item_count)))
    table(data.users)
    table(data.items)
    return digest.hexdigest()
