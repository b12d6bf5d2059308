"""Rows of results: as a data frame of the caller's choice, and as a table when shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

from metarec.errors import InvalidValueError, MissingDependencyError
from metarec.evaluation.table import Table


def to_frame(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, type], backend: Any) -> Any:
    """Return rows as a frame of the kind asked for, or of the first kind that is installed."""
    columns = {name: [row[name] for row in rows] for name in schema}
    if backend == "dict":
        return columns
    choices = ("pandas", "polars", "pyarrow")
    if backend is None:
        backend = next((name for name in choices if find_spec(name)), None)
        if backend is None:
            return columns
    if backend not in choices:
        raise InvalidValueError(f"backend: got {backend!r}, wanted 'dict' or one of {choices}")
    if not find_spec(backend):
        raise MissingDependencyError(
            f"to_frame(backend={backend!r}) needs {backend}: pip install {backend}"
        )
    if backend == "pandas":
        import pandas as pd

        # Nullable integers: a null support size is not a NaN.
        types = {str: "str", int: "Int64", float: "float64"}
        frame = pd.DataFrame(
            {name: pd.Series(column, dtype=object) for name, column in columns.items()}
        )
        return frame.astype({name: types[kind] for name, kind in schema.items()})
    import narwhals as nw

    known = {str: nw.String(), int: nw.Int64(), float: nw.Float64()}
    typed = {name: known[kind] for name, kind in schema.items()}
    return nw.from_dict(columns, schema=typed, backend=backend).to_native()


@dataclass(frozen=True)
class Rows(ABC):
    """Results as rows: a table when shown, `to_frame` to compute with."""

    rows: list[dict[str, Any]]
    _schema: ClassVar[Mapping[str, type]]

    def to_frame(self, backend: str | None = None) -> Any:
        """Return the rows as a frame, of a kind chosen as in `Report.to_frame`."""
        return to_frame(self.rows, self._schema, backend)

    @abstractmethod
    def _table(self) -> Table: ...

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()
