"""Whether a model was trained on what it is tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metarec.errors import LeakageError
from metarec.provenance import Provenance

if TYPE_CHECKING:
    from metarec.dataset import Dataset
    from metarec.scenario import Scenario

Codes = NDArray[np.int32]


def check(name: str, origin: object, scenario: Scenario) -> bool:
    """Raise if something was trained on what `scenario` keeps from it; return if that is known.

    Forbidden are its rows (in `warm` those of the queries), and any rating by a new user or of a
    new item that it tests.

    Parameters
    ----------
    name
        Who, for the message.
    origin
        Its `Provenance`. A data set of its own, such as one that was read again, is compared by ids
        where most of its ratings are ratings of the data that was split; otherwise ids that agree
        say nothing, and it is not known.

    Raises
    ------
    LeakageError
        The message says how many ratings and gives an example.
    """
    if not isinstance(origin, Provenance):
        return False
    data, tested = scenario.data.root, scenario.data.rows[scenario.unseen_rows]
    if origin.is_of(data):
        users, items = data.user[origin.mask], data.item[origin.mask]
        seen = tested[origin.mask[tested]]
    else:
        found = None if origin.data is None else _translated(origin.data, origin.mask, data)
        if found is None:
            return False
        users, items = found
        pairs = _pairs(data, data.user[tested], data.item[tested])
        seen = tested[np.isin(pairs, _pairs(data, users, items))]
    where = f"model: {name} was trained on what {scenario.name!r} tests"
    remedy = "train on splits.train or splits.train_and_validation"
    if len(seen):
        raise LeakageError(
            f"{where}: {len(seen):,} of its {len(tested):,} ratings, such as "
            f"{_told(data, data.user[seen[0]], data.item[seen[0]])}; {remedy}"
        )
    if scenario.new_users:
        known = np.isin(users, scenario.users)
        if known.any():
            at = int(np.argmax(known))
            raise LeakageError(
                f"{where}: {np.count_nonzero(known):,} ratings by its new users, such as "
                f"{_told(data, users[at], items[at])}; {remedy}"
            )
    if scenario.new_items:
        known = np.isin(items, scenario.data.item[scenario.all_rows])
        if known.any():
            at = int(np.argmax(known))
            raise LeakageError(
                f"{where}: {np.count_nonzero(known):,} ratings of its new items, such as "
                f"{_told(data, users[at], items[at])}; {remedy}"
            )
    return True


def _translated(
    other: Dataset, mask: NDArray[np.bool_], data: Dataset
) -> tuple[Codes, Codes] | None:
    """Return users and items of other data's ratings by the codes of `data`, −1: not there.

    None where fewer than half of the ratings are in `data`.
    """
    of_user = data.user_codes(other.user_ids(np.arange(other.user_count)))
    of_item = data.item_codes(other.item_ids(np.arange(other.item_count)))
    users, items = of_user[other.user[mask]], of_item[other.item[mask]]
    mine, place = np.unique(_pairs(data, data.user, data.item), return_index=True)
    pairs = _pairs(data, users, items)
    at = np.minimum(np.searchsorted(mine, pairs), len(mine) - 1)
    same = (mine[at] == pairs) & (data.rating[place[at]] == other.rating[mask])
    return (users, items) if 2 * np.count_nonzero(same) > len(same) else None


def _pairs(data: Dataset, users: Codes, items: Codes) -> NDArray[np.int64]:
    pairs = users.astype(np.int64) * data.item_count + items
    return np.where((users < 0) | (items < 0), -1, pairs)


def _told(data: Dataset, user: int, item: int) -> str:
    who = "an unknown user" if user < 0 else f"user {data.user_ids([user]).tolist()[0]!r}"
    what = "an unknown item" if item < 0 else f"item {data.item_ids([item]).tolist()[0]!r}"
    return f"that of {what} by {who}"
