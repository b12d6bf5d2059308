"""Cold-start splits: who and what is new, and what is for training.

*Existing* users and items are those of training, *new* ones are never seen there. The scenarios
are ``new_user`` (new user, existing items), ``new_item`` (existing user, support and query both on
new items), ``new_both``, and ``warm`` (existing user and items, the query held out of training).
"""

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count, as_path
from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.newness import Rule, as_fraction, choose, highest, sample
from metarec.scenario import Scenario
from metarec.splits import Splits

# Streams of numpy.random.default_rng([seed, 0, stream]); draws use [seed, draw], so none may be 0.
NEW_USERS, NEW_ITEMS, VALIDATION_USERS, VALIDATION_ITEMS = 1, 2, 3, 4


def cold_start(
    data: Dataset,
    new_users: Rule = 0.2,
    new_items: Rule = 0.2,
    min_ratings: int = 13,
    max_ratings: int | None = 100,
    query: int = 10,
    order: str = "shuffle",
    seed: int = 0,
    *,
    validation: float = 0.1,
) -> Splits:
    """Split into training ratings and the scenarios warm, new_user, new_item and new_both.

    Parameters
    ----------
    data : Dataset
    new_users, new_items : fraction, rule or booleans
        Who and what is new: a fraction of those with ratings, chosen by `seed`; a function of the
        columns such as ``lambda items: items["year"] >= 1998``; the name of a boolean column; or a
        boolean per code.
    min_ratings, max_ratings : int
        A user enters a scenario with so many ratings there; training is not filtered.
    query : int
        Query rows of each test task; the rest are its support.
    order : "shuffle" or "time"
        Whether the query are the last rows by chance or by timestamp.
    seed : int
        Decides who is new and all draws.
    validation : float
        Fraction of the existing users, and of the existing items, that are pretended new for
        validation. Where a rule makes new whatever lies above a bound in one column, such as a
        year, the pretended-new items are those of the highest values until the fraction is reached.
        0: no validation.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        The message names the argument.

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(seed=0), new_items=0.3, seed=1)
    >>> list(splits)
    ['warm', 'new_user', 'new_item', 'new_both']
    """
    _check(data)
    bounds = _Bounds(data, min_ratings, max_ratings, query, order, seed, warm=True)
    rated_users = np.bincount(data.user, minlength=data.user_count) > 0
    rated_items = np.bincount(data.item, minlength=data.item_count) > 0
    user, _ = choose(new_users, data.user_columns, rated_users, "new_users", [seed, 0, NEW_USERS])
    item, threshold = choose(
        new_items, data.item_columns, rated_items, "new_items", [seed, 0, NEW_ITEMS]
    )
    how = bounds.description("cold_start", validation) | {
        "new_users": _told(new_users, user),
        "new_items": _told(new_items, item),
    }
    return _split(bounds, np.arange(len(data)), user, item, threshold, validation, how)


def melu(
    data: Dataset,
    seed: int = 0,
    *,
    folder: str | Path | None = None,
    min_ratings: int = 13,
    max_ratings: int | None = 100,
    query: int = 10,
    validation: float = 0.1,
) -> Splits:
    """Split MovieLens-1M by MeLU's lists: 4,832 existing, 1,208 new users; items from 1998 new.

    The scenario warm is not offered: all of its rows are training rows there. Ratings of a user or
    item in none of the lists are left out. Validation pretends new a tenth of the existing users
    and the items of the last years.

    Parameters
    ----------
    data : Dataset
        `metarec.datasets.movielens_1m`.
    seed : int
        Decides the draws and validation; the lists are fixed.
    folder : path, optional
        Where ``warm_state.json``, ``user_cold_state.json``, ``item_cold_state.json`` and
        ``user_and_item_cold_state.json`` are; else ``melu_splits`` in the folder the data came
        from.

    References
    ----------
    Lee, Im, Jang, Cho, Chung: MeLU: Meta-Learned User Preference Estimator for Cold-Start
    Recommendation, KDD 2019.
    """
    _check(data)
    if folder is None and data.folder is None:
        raise InvalidValueError("folder: the data came from no folder; say where MeLU's lists are")
    beside = Path(data.folder or "") / "melu_splits"
    place = beside if folder is None else as_path(folder, "folder")
    lists = {
        name: _melu_list(place, name)
        for name in ("warm", "user_cold", "item_cold", "user_and_item_cold")
    }
    existing_user = _listed(
        data.user_codes, data.user_count, lists["warm"][0] | lists["item_cold"][0]
    )
    new_user = _listed(
        data.user_codes, data.user_count, lists["user_cold"][0] | lists["user_and_item_cold"][0]
    )
    existing_item = _listed(
        data.item_codes, data.item_count, lists["warm"][1] | lists["user_cold"][1]
    )
    new_item = _listed(
        data.item_codes, data.item_count, lists["item_cold"][1] | lists["user_and_item_cold"][1]
    )
    listed = (existing_user | new_user)[data.user] & (existing_item | new_item)[data.item]
    bounds = _Bounds(data, min_ratings, max_ratings, query, "shuffle", seed, warm=False)
    year = data.item_columns.get("year")
    how = bounds.description("melu", validation)
    return _split(bounds, np.flatnonzero(listed), new_user, new_item, year, validation, how)


def _check(data: Any) -> None:
    if not isinstance(data, Dataset):
        raise InvalidTypeError(f"data: expected a Dataset, got {type(data).__name__}")


class _Bounds:
    """What all scenarios of a split have in common."""

    def __init__(
        self,
        data: Dataset,
        min_ratings: int,
        max_ratings: int | None,
        query: int,
        order: str,
        seed: int,
        *,
        warm: bool,
    ) -> None:
        self.data, self.warm = data, warm
        self.query, self.seed = as_count(query, "query", 1), as_count(seed, "seed")
        self.low = as_count(min_ratings, "min_ratings", 1)
        self.high = None if max_ratings is None else as_count(max_ratings, "max_ratings", self.low)
        if self.low < self.query:
            raise InvalidValueError(
                f"min_ratings: expected at least query={query}, got {min_ratings}"
            )
        if order not in ("shuffle", "time"):
            raise InvalidValueError(f"order: expected 'shuffle' or 'time', got {order!r}")
        if order == "time" and data.timestamp is None:
            raise InvalidValueError("order: 'time' needs timestamps, and the data has none")
        self.order = order

    def description(self, name: str, validation: float) -> dict[str, Any]:
        """Return how the split was made, as a report tells it."""
        return {
            "split": name,
            "min_ratings": self.low,
            "max_ratings": self.high,
            "query": self.query,
            "order": self.order,
            "seed": self.seed,
            "validation": validation,
        }

    def carve(
        self, rows: NDArray[np.int64], new_user: NDArray[np.bool_], new_item: NDArray[np.bool_]
    ) -> tuple[dict[str, NDArray[np.int64]], dict[str, Scenario], NDArray[np.int64]]:
        """Return the rows of each part, its scenarios, and the training rows."""
        user, item = new_user[self.data.user[rows]], new_item[self.data.item[rows]]
        parts = {
            "warm": rows[~user & ~item],
            "new_user": rows[user & ~item],
            "new_item": rows[~user & item],
            "new_both": rows[user & item],
        }
        training, scenarios = parts["warm"], {}
        if self.warm:
            scenarios["warm"] = self.scenario("warm", training, fixed_query=True)
            training = training[~scenarios["warm"]._held_out[training]]
        for name in ("new_user", "new_item", "new_both"):
            history = training if name == "new_item" else None
            scenarios[name] = self.scenario(
                name,
                parts[name],
                history_rows=history,
                new_users=name != "new_item",
                new_items=name != "new_user",
            )
        return parts, scenarios, training

    def scenario(self, name: str, rows: NDArray[np.int64], **options: Any) -> Scenario:
        return Scenario(
            name,
            self.data,
            rows,
            min_ratings=self.low,
            max_ratings=self.high,
            query=self.query,
            order=self.order,
            seed=self.seed,
            **options,
        )


def _split(
    bounds: _Bounds,
    rows: NDArray[np.int64],
    new_user: NDArray[np.bool_],
    new_item: NDArray[np.bool_],
    threshold: NDArray[Any] | None,
    validation: float,
    description: dict[str, Any],
) -> Splits:
    """Return the parts; what transforms learn they learn from ``splits.train`` alone."""
    made = _carved(bounds, rows, new_user, new_item, threshold, validation, description)
    bounds.data = bounds.data.fitted_on(made.train)
    if bounds.data is made.data:
        return made
    return _carved(bounds, rows, new_user, new_item, threshold, validation, description)


def _carved(
    bounds: _Bounds,
    rows: NDArray[np.int64],
    new_user: NDArray[np.bool_],
    new_item: NDArray[np.bool_],
    threshold: NDArray[Any] | None,
    validation: float,
    description: dict[str, Any],
) -> Splits:
    data, seed = bounds.data, bounds.seed
    _, scenarios, training = bounds.carve(rows, new_user, new_item)
    if not as_fraction(validation, "validation"):
        return Splits(data, scenarios, training, description=description)
    user = np.bincount(data.user[training], minlength=data.user_count) > 0
    item = np.bincount(data.item[training], minlength=data.item_count) > 0
    user = sample(user, validation * new_user.any(), [seed, 0, VALIDATION_USERS])
    if threshold is None:
        item = sample(item, validation * new_item.any(), [seed, 0, VALIDATION_ITEMS])
    else:
        item = highest(item, threshold, validation * new_item.any())
    _, held, kept = bounds.carve(training, user, item)
    pretended = Splits(data, held, kept, description=description | {"part": "validation"})
    return Splits(data, scenarios, training, pretended, description)


def _told(rule: Rule, new: NDArray[np.bool_]) -> str:
    """Return a rule in words: what cannot be written down by how many it makes new."""
    if isinstance(rule, (int, float, str)):
        return str(rule)
    kind = "a function" if callable(rule) else "booleans"
    return f"{kind} ({np.count_nonzero(new):,} of {len(new):,})"


def _melu_list(folder: Path, name: str) -> tuple[set[str], set[str]]:
    path = folder / f"{name}_state.json"
    try:
        items_of = json.loads(path.read_text())
    except OSError as error:
        raise InvalidValueError(
            f"folder: MeLU's lists come with its code, not with MovieLens; {path}: {error.strerror}"
        ) from None
    return set(items_of), set(chain.from_iterable(items_of.values()))


def _listed(
    codes: Callable[[NDArray[np.int64]], NDArray[np.int32]], count: int, ids: set[str]
) -> NDArray[np.bool_]:
    found = codes(np.fromiter(map(int, ids), np.int64, len(ids)))
    listed = np.zeros(count, np.bool_)
    listed[found[found >= 0]] = True
    return listed
