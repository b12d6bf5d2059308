"""A data set as `ColdStart` takes it: levels, content and ids of items, fields of users."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.content import blocks, components
from metarec.dataset import Dataset
from metarec.decisions import levels_of
from metarec.errors import InvalidValueError
from metarec.features import Categorical, Dense, FeatureTable, Field

#: A user field counts where so many users share a value on average: postcodes do not.
USERS_PER_VALUE = 10
#: More ratings than so many are put into ten levels.
MOST_LEVELS = 20


def item_features(data: Dataset, count: int, *, counts: bool) -> FeatureTable:
    """Return the items' content, `count` principal components, and what only training's have.

    That is the id and, of `counts`, the binary logarithm of how many ratings there are, in halves.
    """
    ratings = np.bincount(data.item, minlength=data.item_count)
    seen = ratings > 0
    fields = {name: field for name, field in data.items.fields.items() if name != "item"}
    columns = {name: data.item_columns[name] for name in data.content_columns}
    content = components(blocks(fields, columns), seen, count)
    codes = np.where(seen, np.arange(len(seen)), -1).astype(np.int32)
    content = 3 * content
    content.setflags(write=False)  # So that nobody needs to look whether it has changed.
    items: dict[str, Any] = {"content": Dense(content)} if content.shape[1] else {}
    items["item"] = Categorical(codes, len(seen))
    if counts:
        halves = np.round(2 * np.log2(np.maximum(ratings, 0.5))).astype(np.int32)
        halves[~seen] = -1
        items["item.count"] = Categorical(halves, int(halves.max()) + 1)
    return FeatureTable(items)


def user_fields(data: Dataset) -> dict[str, Field]:
    """Return the users' fields whose values are shared by enough of them."""
    return {
        str(name): field
        for name, field in (data.users.fields if data.users is not None else {}).items()
        if isinstance(field, Dense) or field.rows >= USERS_PER_VALUE * field.size
    }


def rating_levels(data: Dataset, *, drawn: bool) -> NDArray[np.float64]:
    """Return the levels of the ratings, and of negatives that are drawn besides."""
    rating = np.append(data.rating, 0) if drawn else data.rating
    values = np.unique(rating).astype(np.float64)
    if len(values) < 2:
        raise InvalidValueError(
            f"data: expected at least two different ratings, got {len(values)}; of clicks alone, "
            "draw items that were not clicked as ratings of 0: negatives=Negatives()"
        )
    levels = None if drawn else levels_of(data)
    if levels is not None and len(levels) <= MOST_LEVELS:
        return levels
    if len(values) <= MOST_LEVELS:
        return values
    parts = np.array_split(np.sort(rating.astype(np.float64)), 10)
    return np.unique([part.mean() for part in parts])


def item_bias(data: Dataset) -> NDArray[np.float64]:
    """Return by how much each item is rated above its users' means, shrunk by five ratings."""
    residual = data.rating - data.rating.mean(dtype=np.float64)
    users = np.bincount(data.user, residual, minlength=data.user_count)
    residual = (
        residual - (users / (np.bincount(data.user, minlength=data.user_count) + 3))[data.user]
    )
    items = np.bincount(data.item, residual, minlength=data.item_count)
    return items / (np.bincount(data.item, minlength=data.item_count) + 5)


def shape(table: FeatureTable | None) -> list[tuple[str, str, int]]:
    """Return names, kinds and sizes of a table's fields."""
    if table is None:
        return []
    return [(str(name), field.kind, field.size) for name, field in table.fields.items()]
