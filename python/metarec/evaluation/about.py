"""What the numbers of a report depend on, to be told with them."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from metarec import _metarec
from metarec.dataset import Dataset
from metarec.provenance import Provenance

if TYPE_CHECKING:
    from metarec.splits import Splits

#: Arguments of `evaluate` that are told elsewhere.
_ELSEWHERE = ("model", "splits")


def describe(
    splits: Splits,
    contenders: Mapping[str, Sequence[Any]],
    checked: Mapping[str, Sequence[bool]],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return versions, data, split, options and models, as JSON has them.

    Parameters
    ----------
    splits
        What was tested on.
    contenders
        Copies of models by name.
    checked
        Of which of them it is known what they were trained on.
    options
        Of `evaluate`.
    """
    data = splits.data
    told = {
        "versions": {
            "metarec": _metarec.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "kernels": _metarec.isa(),
        },
        "data": {
            "hash": data.fingerprint,
            "ratings": len(data),
            "users": len(np.unique(data.user)),
            "items": len(np.unique(data.item)),
            "scale": list(data.scale),
        },
        "split": splits.description | {"hash": splits.fingerprint},
        "options": {name: _plain(v) for name, v in options.items() if name not in _ELSEWHERE},
    }
    return told | {
        "models": {
            name: [_model(*copy) for copy in zip(copies, checked[name], strict=True)]
            for name, copies in contenders.items()
        }
    }


def _model(model: Any, checked: bool) -> dict[str, Any]:
    origin = getattr(model, "trained_on_", None)
    told: dict[str, Any] = {"class": type(model).__name__, "checked_for_leaks": checked}
    if callable(getattr(model, "get_params", None)):
        told["options"] = repr(model)
    seed = getattr(model, "seed", None)
    if isinstance(seed, (int, np.integer)):
        told["seed"] = int(seed)
    if isinstance(origin, Provenance):
        ratings = int(np.count_nonzero(origin.mask))
        told["trained_on"] = {"data": origin.fingerprint, "ratings": ratings}
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, Dataset):
        return f"{len(value):,} ratings"
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)
