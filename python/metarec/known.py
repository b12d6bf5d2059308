"""Users and items by number: their ids, features and columns."""

from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.entities import Entities
from metarec.errors import InvalidValueError
from metarec.features import FeatureTable


class Known:
    """Who the users and items of a data set are, and what is known of them, without any rating.

    Attributes
    ----------
    scale : (float, float)
        Lowest and highest rating observed.
    """

    _users: Entities
    _items: Entities
    scale: tuple[float, float]

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

        Returns
        -------
        FeatureTable or None
            Of one row. Its arrays may be shared with other calls and not writable.

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

    def schema_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and a JSON-able dict from which `from_state` makes the mapping again.

        They hold the items and the users' fields and values, but no rating and no user.

        Raises
        ------
        InvalidTypeError
            Ids or values of a type that no file can hold, such as a class of your own.
        """
        items, item_state = self._items.state(with_rows=True)
        users, user_state = self._users.state(with_rows=False)
        state = {"items": item_state, "users": user_state, "scale": list(self.scale)}
        return items | users, state
