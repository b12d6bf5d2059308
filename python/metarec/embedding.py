"""Features to vectors by a model's tables, in NumPy: for pictures and for export."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.features import Bag, Dense, FeatureTable, Field

Floats = NDArray[np.floating[Any]]


def field_vectors(name: str, field: Field, parameters: Mapping[str, Floats]) -> Floats:
    """Return a vector a row: a table's row, a bag's mean of rows, or the dense vector itself."""
    if isinstance(field, Dense):
        vectors = field.vectors
        encoder = parameters.get(f"encoder.{name}")
        return vectors if encoder is None else vectors @ encoder
    table = parameters[f"embedding.{name}"]
    # −1 is the row of zeros behind the last.
    rows = np.concatenate([table, np.zeros((1, table.shape[1]), table.dtype)])[field.ids]
    if not isinstance(field, Bag):
        return rows
    bag = np.repeat(np.arange(field.rows), np.diff(field.offsets))
    total = np.zeros((field.rows, table.shape[1]), table.dtype)
    np.add.at(total, bag, rows)
    counts = np.bincount(bag[field.ids >= 0], minlength=field.rows)
    return total / np.maximum(counts, 1).astype(table.dtype)[:, None]


def embedded(features: FeatureTable, parameters: Mapping[str, Floats]) -> Floats:
    """Return all fields' vectors side by side, [rows, widths together]: a network's input."""
    fields = features.fields.items()
    return np.concatenate([field_vectors(name, each, parameters) for name, each in fields], 1)
