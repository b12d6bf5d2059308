"""Ratings with what is known of their users and items, in arrays."""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.arrays import check_index, offsets_of
from metarec.cleaning import Cleaning, CleaningReport
from metarec.display import html_table
from metarec.entities import Entities, described
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import FeatureTable
from metarec.fields import Kind
from metarec.frames import read_columns
from metarec.known import Known
from metarec.making import cleaned, of_columns, of_frames
from metarec.provenance import fingerprint
from metarec.roles import AUTO
from metarec.schema import Origin, Schema, schema_of
from metarec.tasks import TaskSet


class Dataset(Known):
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
        origin: Origin | None = None,
    ) -> None:
        self.user, self.item, self.rating, self.timestamp = user, item, rating, timestamp
        self.scale, self.folder, self.truth = scale, folder, truth
        self.content_columns = content_columns
        self._origin = Origin() if origin is None else origin
        self._users, self._items = user_entities, item_entities.with_id_field()
        self._grouped: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self._whole: Dataset | None = None
        self._rows: NDArray[np.int64] | None = None
        self._fingerprint: str | None = None
        self._cleaning: CleaningReport | None = None

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
        names = {name: name for name in ratings} | {"timestamp": None}
        if timestamp is not None:
            ratings["timestamp"], names["timestamp"] = timestamp, "timestamp"
        known = {
            "user": described("user", users, user_ids),
            "item": described("item", items, item_ids),
        }
        return cls(**of_columns(read_columns(ratings, "ratings"), known, names))

    @classmethod
    def from_frames(
        cls,
        ratings: Any,
        users: Any = None,
        items: Any = None,
        *,
        user: str = AUTO,
        item: str = AUTO,
        rating: str | None = AUTO,
        timestamp: str | None = AUTO,
        fields: Mapping[str, Kind] | str | None = None,
        clean: Cleaning | None = None,
    ) -> "Dataset":
        """Return a data set of tables: pandas, polars, pyarrow, DuckDB, dicts of arrays, or files.

        What each column was taken for is told by `schema`, what became of rows by `cleaning`.
        Columns of `users` and `items` become fields by their type: integers, booleans and strings
        categorical; lists and ``a|b`` strings bags; floats and vectors dense; dates none. Missing
        values are unknown (−1), left out of a bag, zero in a vector, as are all features of users
        and items that occur in `ratings` alone. An item's id is a field where it has no other, or
        where `fields` says so: ``{"item": "categorical"}``. Without it, items of the same
        features have the same predictions.

        Parameters
        ----------
        ratings : frame, dict of arrays, or path
            One row per rating, with the columns named by `user`, `item`, `rating` and `timestamp`.
            Lazy frames are collected. Files are CSV (``.csv``, ``.tsv``, ``.gz``) or Parquet.
        users, items : frame, dict of arrays, or path, optional
            One row per id, which is in a column of the same name as in `ratings`, or of a usual
            one.
        user, item, rating, timestamp : str or None
            Names of columns; "auto" looks among the usual ones, such as ``userId``, ``movieId`` and
            ``stars``. None: there are no times; there are no ratings, and every row counts as 1.
        fields : mapping, or "auto"
            Kinds by column, "categorical", "bag" or "dense", where they differ from the rule above,
            or a transform of `metarec.features`: ``standardise()``, ``bucketise(10)``,
            ``hash(1000)``. None leaves a column out of the features, and so does "content", whose
            words `ColdStart` uses. pandas makes floats of integers where values are missing: say
            "categorical" there. "auto": numbers are standardised, whole numbers of more than twenty
            values cut into ten buckets; texts most of which are different are content, of users
            left out.
        clean : Cleaning, optional
            What becomes of rows that are missing, double, impossible or out of line. None: a
            missing value is refused, nothing is dropped.

        Raises
        ------
        InvalidValueError
            A column is not there or not to be guessed, an id or rating is missing, an id has two
            rows in `users` or `items`, or none of their ids is in `ratings`, such as strings there,
            integers here.
        MissingDependencyError
            No library that reads Parquet is installed.

        Warns
        -----
        UserWarning
            Texts most of which are different, such as titles, would become a categorical field.

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
        frames = {"ratings": ratings, "users": users, "items": items}
        names = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
        if isinstance(fields, str) and fields != AUTO:
            raise InvalidValueError(f"fields: expected a mapping or 'auto', got {fields!r}")
        kinds = {} if fields is None or isinstance(fields, str) else fields
        return cls(**of_frames(frames, names, kinds, clean, suggested=fields == AUTO))

    # Looking at it

    @property
    def schema(self) -> Schema:
        """The columns that the data came with, their types, and what they are used as."""
        return schema_of(self.root, self._users, self._items, self._origin)

    @property
    def cleaning(self) -> CleaningReport:
        """What was dropped or repaired when the data was made, and what is worth knowing of it."""
        root = self.root
        if root._cleaning is None:
            root._cleaning = cleaned(root, self._users, self._items, self._origin)
        return root._cleaning

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
        view = self._of(self._users, self._items, index)
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
        own = self._of(self._users.with_features(users), self._items.with_features(items))
        own._whole, own._rows = self.root, self.rows
        return own

    def fitted_on(self, training: "Dataset") -> "Dataset":
        """Return the same ratings with the transforms' statistics of the training part alone.

        `metarec.split` does it. The statistics are of the users and items with ratings in
        `training`; before, they are of all. Without transforms the data set is returned as it is.

        Examples
        --------
        >>> ratings = {"user": ["a", "b", "c"], "item": [1, 1, 1], "rating": [4, 5, 3]}
        >>> users = {"user": ["a", "b", "c"], "age": [20.0, 40.0, 60.0]}
        >>> fields = {"age": mr.features.standardise()}
        >>> data = mr.Dataset.from_frames(ratings, users, fields=fields)
        >>> data.fitted_on(data.view([0, 1])).users["age"].vectors.tolist()
        [[-1.0], [1.0], [3.0]]
        """
        users = self._users.fitted_on(training.user)
        items = self._items.fitted_on(training.item)
        if users is self._users and items is self._items:
            return self
        own = self._of(users, items)
        own._whole, own._rows = self.root, self.rows
        return own

    def _of(self, users: Entities, items: Entities, rows: Any = slice(None)) -> "Dataset":
        return Dataset(
            self.user[rows],
            self.item[rows],
            self.rating[rows],
            None if self.timestamp is None else self.timestamp[rows],
            user_entities=users,
            item_entities=items,
            scale=self.scale,
            folder=self.folder,
            truth=self.truth,
            content_columns=self.content_columns,
            origin=self._origin,
        )

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

    # From a file

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
        parts = html_table("Dataset", ("", "number", ""), self._parts())
        done = self.cleaning._repr_html_() if len(self.cleaning) else ""
        return parts + self.schema._repr_html_() + done
