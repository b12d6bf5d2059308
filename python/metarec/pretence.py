"""Training ratings of which some users and items are pretended to be new."""

import numpy as np
from numpy.typing import NDArray

from metarec.dataset import Dataset
from metarec.split import _Bounds
from metarec.splits import Splits

#: How many users, and how many items, are pretended new at a time: a tenth.
PARTS = 10
#: Query rows of a task, the most that leave enough tasks, and the fewest support rows.
QUERIES, SUPPORT = (5, 2, 1), 3
#: Tasks of new users that are enough to choose by.
ENOUGH = 100
#: At most so many pretences, each of which is trained on.
MOST = 4


def pretences(data: Dataset, seed: int) -> list[Splits]:
    """Return splits of `data` as test scenarios are carved, as many as make for enough tasks.

    In each a tenth of the users and a tenth of the items is pretended new, by chance; nobody is
    twice. Its `train` is what is left. No splits where nobody has the ratings for a task.
    """
    random = np.random.default_rng([seed, 0, 5])
    users, items = (
        _dealt(codes, count, random)
        for codes, count in ((data.user, data.user_count), (data.item, data.item_count))
    )
    counts = np.bincount(data.user, minlength=data.user_count)
    for query in QUERIES:
        able = np.count_nonzero(counts >= query + SUPPORT)
        if able >= ENOUGH or (query == QUERIES[-1] and able):
            break
    else:
        return []
    bounds = _Bounds(data, query + SUPPORT, None, query, "shuffle", seed, warm=False)
    found: list[Splits] = []
    tasks = 0
    for part in range(MOST):
        new_user, new_item = users == part, items == part
        _, held, kept = bounds.carve(np.arange(len(data)), new_user, new_item)
        if len(kept) and any(map(len, held.values())):
            found.append(Splits(data, held, kept, description={"split": "pretence"}))
            tasks += len(held["new_user"])
        if tasks >= ENOUGH:
            break
    return found


def _dealt(codes: NDArray[np.int32], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the part of every code, −1 of those without ratings."""
    rated = np.flatnonzero(np.bincount(codes, minlength=count))
    part = np.full(count, -1)
    part[random.permutation(rated)] = np.arange(len(rated)) % PARTS
    return part
