"""Ratings with what is known of their users and items, in arrays."""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.arrays import check_finite, check_index, offsets_of
from metarec.display import html_table
from metarec.entities import Entities, described, encoded
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import FeatureTable
from metarec.frames import (
    KINDS,
    Column,
    as_timestamp,
    read_columns,
    refuse_nulls,
    require,
)
from metarec.provenance import fingerprint
from metarec.tasks import TaskSet


class Dataset:
    """Ratings of items by users, made by `from_arrays`, `from_frames` or `metarec.datasets`.

    Users and items are numbered ("codes"); the ids of your data, of any hashable type, are kept and
    given back. Rows keep their order, and a user's second rating of an item stays a row of its own.
    Without any item feature the item's id becomes the categorical field ``"item"``, so that there
    is something to learn from; a user's id never becomes a field, for a new user has none that was
    trained.

    Attributes
    ----------
    user, item : int32 [n]
        Codes of each rating's user and item.
    rating : float32 [n]
    timestamp : int64 [n] or None
    items : FeatureTable
    users : FeatureTable or None
    item_columns, user_columns : mapping of str to array
        The frames' columns as they came, one entry per code, features or not: for rules such as
        ``lambda items: items["year"] >= 1998``.
    scale : (float, float)
        Lowest and highest rating observed.
    content_columns : tuple of str
        Item columns that are no features but content: titles, years. `ColdStart` uses them too.

    Examples
    --------
    >>> Dataset.from_arrays(user=["ann", "ann", "bob"], item=[6, 858, 6], rating=[5, 4, 3])
    Dataset(3 ratings from 3 to 5, 2 users, 2 items; items: item categorical 2)
    """

    def __init__(
        self,
        user: NDArray[np.int32],
        item: NDArray[np.int32],
        rating: NDArray[np.float32],
        timestamp: NDArray[np.int64] | None,
        *,
        user_entities: Entities,
        item_entities: Entities,
        scale: tuple[float, float],
        folder: Path | None = None,
        truth: Any = None,
        content_columns: tuple[str, ...] = (),
    ) -> None:
        self.user, self.item, self.rating, self.timestamp = user, item, rating, timestamp
        self.scale, self.folder, self.truth = scale, folder, truth
        self.content_columns = content_columns
        self._users, self._items = user_entities, item_entities.with_id_field()
        self._grouped: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self._whole: Dataset | None = None
        self._rows: NDArray[np.int64] | None = None
        self._fingerprint: str | None = None

    # Making one

    @classmethod
    def from_arrays(
        cls,
        user: Iterable[Hashable],
        item: Iterable[Hashable],
        rating: ArrayLike,
        *,
        timestamp: ArrayLike | None = None,
        items: FeatureTable | None = None,
        users: FeatureTable | None = None,
        item_ids: Iterable[Hashable] | None = None,
        user_ids: Iterable[Hashable] | None = None,
    ) -> "Dataset":
        """Return a data set of ratings given as arrays.

        Parameters
        ----------
        user, item : ids [n]
            Of any hashable type.
        rating : numbers [n]
        timestamp : integers or datetime64 [n], optional
        items, users : FeatureTable, optional
            Row r describes the id ``item_ids[r]`` (``user_ids[r]``); without those, the id r
            itself.

        Examples
        --------
        >>> Dataset.from_arrays(["ann", "bob"], [6, 6], [5, 3]).item_ids([0])
        array([6])
        """
        ratings = {"user": user, "item": item, "rating": rating}
        if timestamp is not None:
            ratings["timestamp"] = timestamp
        return cls._from_columns(
            read_columns(ratings, "ratings"),
            described("user", users, user_ids),
            described("item", items, item_ids),
            ("user", "item", "rating", None if timestamp is None else "timestamp"),
        )

    @classmethod
    def from_frames(
        cls,
        ratings: Any,
        users: Any = None,
        items: Any = None,
        *,
        user: str = "user",
        item: str = "item",
        rating: str = "rating",
        timestamp: str | None = None,
        fields: Mapping[str, str | None] | None = None,
    ) -> "Dataset":
        """Return a data set of frames: pandas, polars, pyarrow and the like, or dicts of arrays.

        Columns of `users` and `items` become fields by their type: integers, booleans and strings
        categorical; lists and ``a|b`` strings bags; floats and vectors dense; dates none. Missing
        values are unknown (−1), left out of a bag, zero in a vector, as are all features of users
        and items that occur in `ratings` alone. An item's id is a field where it has no other, or
        where `fields` says so: ``{"item": "categorical"}``. Without it, items of the same
        features have the same predictions.

        Parameters
        ----------
        ratings : frame
            One row per rating, with the columns named by `user`, `item`, `rating` and `timestamp`.
        users, items : frame, optional
            One row per id, which is in a column of the same name as in `ratings`.
        fields : mapping, optional
            Kinds by column, "categorical", "bag" or "dense", where they differ from the rule above;
            None leaves a column out of the features. pandas makes floats of integers where values
            are missing: say "categorical" there.

        Raises
        ------
        InvalidValueError
            A column is not there, an id or rating is missing, an id has two rows in `users` or
            `items`, or none of their ids is in `ratings`, such as strings there, integers here.

        Examples
        --------
        >>> movies = {"item": [6, 858], "genre": ["Action|Crime", "Drama"], "title": ["Heat", "x"]}
        >>> ratings = {"user": [1, 1], "item": [6, 858], "rating": [4, 5]}
        >>> Dataset.from_frames(ratings, items=movies, fields={"title": None}).items
        FeatureTable(2 rows; genre: bag 3)
        >>> fields = {"title": None, "item": "categorical"}
        >>> Dataset.from_frames(ratings, items=movies, fields=fields).items
        FeatureTable(2 rows; item: categorical 2, genre: bag 3)
        """
        kinds = dict(fields or {})
        tables: dict[str, dict[str, Column]] = {}
        for noun, frame in (("user", users), ("item", items)):
            if frame is not None:
                tables[noun] = read_columns(frame, f"{noun}s")
        known = {name for table in tables.values() for name in table}
        for name, kind in kinds.items():
            if name not in known:
                raise InvalidValueError(f"fields: no column {name!r} in users or items")
            if kind not in KINDS:
                raise InvalidValueError(f"fields[{name!r}]: expected one of {KINDS}, got {kind!r}")
        entities = {
            noun: Entities.from_columns(noun, id_name, tables[noun], kinds)
            if noun in tables
            else None
            for noun, id_name in (("user", user), ("item", item))
        }
        return cls._from_columns(
            read_columns(ratings, "ratings"),
            entities["user"],
            entities["item"],
            (user, item, rating, timestamp),
        )

    @classmethod
    def _from_columns(
        cls,
        columns: dict[str, Column],
        users: Entities | None,
        items: Entities | None,
        names: tuple[str, str, str, str | None],
    ) -> "Dataset":
        user_name, item_name, rating_name, timestamp_name = names
        users, user = encoded("user", user_name, users, columns)
        items, item = encoded("item", item_name, items, columns)
        label = f"ratings[{rating_name!r}]"
        given = require(columns, rating_name, "ratings")
        refuse_nulls(given, label)
        if given.values.dtype.kind not in "iubf" or given.values.ndim != 1:
            got = f"{given.values.dtype.name} {list(given.values.shape)}"
            raise InvalidTypeError(f"{label}: expected numbers [n], got {got}")
        rating = given.values.astype(np.float32, copy=False)
        check_finite(rating, label)
        timestamp = None
        if timestamp_name is not None:
            label = f"ratings[{timestamp_name!r}]"
            timestamp = as_timestamp(require(columns, timestamp_name, "ratings"), label)
        scale = (float(rating.min()), float(rating.max())) if len(rating) else (0.0, 0.0)
        return cls(
            user, item, rating, timestamp, user_entities=users, item_entities=items, scale=scale
        )

    # Looking at it

    @property
    def items(self) -> FeatureTable:
        """Features of the items, one row per code."""
        assert self._items.features is not None
        return self._items.features

    @property
    def users(self) -> FeatureTable | None:
        """Features of the users, one row per code; None where nothing is known of them."""
        return self._users.features

    @property
    def item_columns(self) -> Mapping[str, NDArray[Any]]:
        """The items' columns as they came, one entry per code."""
        return MappingProxyType(self._items.columns)

    @property
    def user_columns(self) -> Mapping[str, NDArray[Any]]:
        """The users' columns as they came, one entry per code."""
        return MappingProxyType(self._users.columns)

    @property
    def user_count(self) -> int:
        """Number of users known, with ratings in this view or not."""
        return len(self._users.ids)

    @property
    def item_count(self) -> int:
        """Number of items known, with ratings in this view or not."""
        return len(self._items.ids)

    def view(self, rows: NDArray[Any]) -> "Dataset":
        """Return some of the ratings, by mask or row numbers; users, items and codes are shared."""
        index = np.asarray(rows)
        if index.dtype == np.bool_:
            if index.shape != self.rating.shape:
                raise InvalidValueError(
                    f"rows: expected a mask of {len(self)} rows, got {len(index)}"
                )
        elif index.dtype.kind in "iu" or not index.size:
            index = index.astype(np.int64)
            check_index(index, len(self), "rows", low=0)
        else:
            raise InvalidTypeError(f"rows: expected a mask or row numbers, got {index.dtype.name}")
        view = Dataset(
            self.user[index],
            self.item[index],
            self.rating[index],
            None if self.timestamp is None else self.timestamp[index],
            user_entities=self._users,
            item_entities=self._items,
            scale=self.scale,
            folder=self.folder,
            truth=self.truth,
            content_columns=self.content_columns,
        )
        numbers = np.flatnonzero(index) if index.dtype == np.bool_ else index
        view._whole, view._rows = self.root, numbers if self._rows is None else self._rows[numbers]
        return view

    def with_features(self, items: FeatureTable, users: FeatureTable | None) -> "Dataset":
        """Return the same ratings with other features of the same items and users, in their order.

        Examples
        --------
        >>> data = Dataset.from_arrays(user=[1, 2], item=["a", "b"], rating=[5, 4])
        >>> data.with_features(data.items, None).items
        FeatureTable(2 rows; item: categorical 2)
        """
        own = Dataset(
            self.user,
            self.item,
            self.rating,
            self.timestamp,
            user_entities=self._users.with_features(users),
            item_entities=self._items.with_features(items),
            scale=self.scale,
            folder=self.folder,
            truth=self.truth,
            content_columns=self.content_columns,
        )
        own._whole, own._rows = self.root, self.rows
        return own

    @property
    def root(self) -> "Dataset":
        """The data that this is a view of; itself if it is none."""
        return self if self._whole is None else self._whole

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of `root` that each rating is."""
        return np.arange(len(self), dtype=np.int64) if self._rows is None else self._rows

    @property
    def fingerprint(self) -> str:
        """A hash of the ratings, ids and features of `root`, computed when first asked for."""
        root = self.root
        if root._fingerprint is None:
            root._fingerprint = fingerprint(root)
        return root._fingerprint

    def tasks(self, *, min_ratings: int = 1, max_ratings: int | None = None) -> TaskSet:
        """Return one task per user with `min_ratings` to `max_ratings` ratings, by ascending code.

        All rows are query rows, in the order of the data: training draws its own support from them.
        """
        rows, counts = self._by_user()
        high = len(self) if max_ratings is None else max_ratings
        kept = (counts >= max(1, min_ratings)) & (counts <= high)
        users, rows = np.flatnonzero(kept), rows[np.repeat(kept, counts)]
        return self.task_set(rows, counts[users], np.zeros(len(users), np.int64), users)

    def task_set(
        self,
        rows: NDArray[np.int64],
        counts: NDArray[np.int64],
        support_counts: NDArray[np.int64],
        users: NDArray[Any],
    ) -> TaskSet:
        """Return a task of `counts[t]` of the rows for each of the users, in the order given."""
        tasks = TaskSet(
            offsets_of(counts),
            support_counts,
            self.item[rows],
            self.rating[rows],
            None if self.users is None else users.astype(np.int32),
            items=self.items,
            users=self.users,
        )
        tasks.source = self.root, rows if self._rows is None else self._rows[rows]
        return tasks

    def unseen_values(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        """Return, under "items" and "users", each field's value numbers that no rating here has.

        Trained on this view, their embeddings stay what they were drawn as: set to zero they mean
        what an unknown value means.

        Examples
        --------
        >>> data = Dataset.from_arrays([1, 1, 1], ["a", "b", "c"], [5, 4, 3])
        >>> data.view(data.rating > 3).unseen_values()
        {'items': {'item': array([2])}, 'users': {}}
        """
        return {"items": self._items.unseen(self.item), "users": self._users.unseen(self.user)}

    def _by_user(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._grouped is None:
            counts = np.bincount(self.user, minlength=self.user_count)
            self._grouped = np.argsort(self.user, kind="stable"), counts
        return self._grouped

    # Raw values

    def item_codes(self, ids: Iterable[Hashable]) -> NDArray[np.int32]:
        """Return the items' codes, −1 where an id is unknown."""
        return self._items.ids.encode(ids, "items")

    def item_ids(self, codes: ArrayLike) -> NDArray[Any]:
        """Return the items' ids as they are in your data."""
        return self._items.ids.decode(np.asarray(codes), "codes")

    def user_codes(self, ids: Iterable[Hashable]) -> NDArray[np.int32]:
        """Return the users' codes, −1 where an id is unknown."""
        return self._users.ids.encode(ids, "users")

    def user_ids(self, codes: ArrayLike) -> NDArray[Any]:
        """Return the users' ids as they are in your data."""
        return self._users.ids.decode(np.asarray(codes), "codes")

    def user_features(self, user: Mapping[str, Any] | Hashable = None) -> FeatureTable | None:
        """Return one user's features as a table of one row; None where no user has any.

        Parameters
        ----------
        user : mapping, id or None
            Raw values by field, such as ``{"age": 25}``: fields left out, missing values and values
            never seen are unknown. Or the id of a user of the data. None: nothing is known.

        Raises
        ------
        InvalidValueError
            A field or the id is not in the data; the message names the fields there are.
        """
        if user is None or isinstance(user, Mapping):
            return self._users.encode(user or {}, "user")
        code = self._users.ids.encode([user], "user")
        if code[0] < 0:
            known = (
                "leave user out: the data has no features of users"
                if self.users is None
                else f"give a dict of features, among {list(self.users.fields)}"
            )
            raise InvalidValueError(f"user: no user {user!r} in the data; {known}")
        return None if self.users is None else self.users.row(int(code[0]))

    # Saving the mapping

    def schema_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and a JSON-able dict from which `from_state` makes the mapping again.

        They hold the items and the users' fields and values, but no rating and no user. Ids or
        values that are not all int or all str come as arrays of objects, which no file can hold.
        """
        items, item_state = self._items.state(with_rows=True)
        users, user_state = self._users.state(with_rows=False)
        state = {"items": item_state, "users": user_state, "scale": list(self.scale)}
        return items | users, state

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> "Dataset":
        """Return a data set with the items and mapping of `schema_state`, without ratings."""
        low, high = state["scale"]
        return cls(
            np.empty(0, np.int32),
            np.empty(0, np.int32),
            np.empty(0, np.float32),
            None,
            user_entities=Entities.from_state("user", arrays, state["users"]),
            item_entities=Entities.from_state("item", arrays, state["items"]),
            scale=(low, high),
        )

    # Showing it

    def __len__(self) -> int:
        return len(self.rating)

    def _parts(self) -> list[tuple[str, str, str]]:
        def fields(table: FeatureTable | None) -> str:
            shown = () if table is None else table.fields.items()
            return ", ".join(f"{name} {f.kind} {f.size:,}" for name, f in shown)

        low, high = self.scale
        users, items = len(np.unique(self.user)), len(np.unique(self.item))
        return [
            ("ratings", f"{len(self):,}", f"from {low:g} to {high:g}"),
            ("users", f"{users:,}", fields(self.users)),
            ("items", f"{items:,}", fields(self.items)),
        ]

    def __repr__(self) -> str:
        ratings, users, items = self._parts()
        features = "".join(f"; {noun}: {text}" for noun, _, text in (users, items) if text)
        counts = f"{ratings[1]} ratings {ratings[2]}, {users[1]} users, {items[1]} items"
        return f"Dataset({counts}{features})"

    def _repr_html_(self) -> str:
        return html_table("Dataset", ("", "number", ""), self._parts())
