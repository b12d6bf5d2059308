"""Models in files: one safetensors file, everything else as JSON in its metadata. Never pickle."""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from metarec import _metarec
from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import Bag, Categorical, Dense, FeatureTable
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.learner import MetaLearner

FORMAT = 1
Arrays = dict[str, NDArray[Any]]


def save(model: "MetaLearner", path: Path) -> None:
    """Write `model` to `path`, atomically: the old file stays whole until the new one is."""
    from metarec.encoding import encode

    native = model._native
    native.settle()
    arrays = {f"parameter/{name}": value for name, value in native.parameters().items()}
    arrays |= {f"optimizer/{name}": value for name, value in native.optimizer_state().items()}
    about: dict[str, Any] = {
        "format": FORMAT,
        "version": _metarec.__version__,
        "class": type(model).__name__,
        "params": encode(model.get_params(deep=False)),
        "steps": native.steps,
        "history": model.history_,
    }
    if model._data is not None:
        data, about["data"] = model._data.schema_state()
        arrays |= {f"data/{name}": value for name, value in data.items()}
    else:
        about["fields"] = {
            "items": _fields(model._items),
            "users": None if model._users is None else _fields(model._users),
        }
    # safetensors writes arrays that are not C-contiguous wrongly.
    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    try:
        save_file(contiguous, temporary, metadata={"metarec": json.dumps(about)})
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: str | Path) -> "MetaLearner":
    """Return the model that `MetaLearner.save` wrote to `path`.

    Raises
    ------
    InvalidValueError
        Not a file of metarec, damaged, or of a newer format.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> model = mr.load("melu.metarec")  # doctest: +SKIP
    """
    about, arrays = _read(Path(path))
    try:
        return _restore(about, arrays)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InvalidValueError(f"{path}: damaged, {type(error).__name__}: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    with open(path, "rb"):
        pass  # says plainly if there is no such file
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("metarec")
            if text is None:
                raise InvalidValueError(f"{path}: not a model of metarec")
            about = json.loads(text)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError) as error:
        raise InvalidValueError(f"{path}: not a model of metarec, or damaged: {error}") from error
    if not isinstance(about, dict) or not isinstance(about.get("format"), int):
        raise InvalidValueError(f"{path}: damaged, its description has no format")
    if about["format"] > FORMAT:
        raise InvalidValueError(
            f"{path}: format {about['format']}, written by metarec {about.get('version')}; this version reads "
            f"up to {FORMAT}"
        )
    return about, arrays


def _restore(about: dict[str, Any], arrays: Arrays) -> "MetaLearner":
    from metarec.encoding import decode
    from metarec.learner import MetaLearner
    from metarec.presets import FineTune, MeLU

    classes: dict[str, type[MetaLearner]] = {
        kind.__name__: kind for kind in (MetaLearner, MeLU, FineTune)
    }
    if about["class"] not in classes:
        raise InvalidValueError(f"no model class {about['class']!r}; there are {list(classes)}")
    model = classes[about["class"]](**decode(about["params"]))
    if "data" in about:
        data = Dataset.from_state(_under("data/", arrays), about["data"])
        model._begin(data.tasks(), data)
    else:
        fields = about["fields"]
        items = _table(fields["items"])
        users = None if fields["users"] is None else _table(fields["users"])
        model._begin(_empty(items, users), None)
    native = model._native
    for kind, live in (("parameter", native.parameters()), ("optimizer", native.optimizer_state())):
        saved = _under(f"{kind}/", arrays)
        if saved.keys() != live.keys():
            raise InvalidValueError(f"its {kind}s are {sorted(saved)}, wanted {sorted(live)}")
        for name, view in live.items():
            if saved[name].shape != view.shape or saved[name].dtype != view.dtype:
                raise InvalidValueError(
                    f"{kind} {name}: {saved[name].dtype.name} {list(saved[name].shape)}, wanted "
                    f"{view.dtype.name} {list(view.shape)}"
                )
            view[...] = saved[name]
    native.steps = about["steps"]
    model.history_ = about["history"]
    return model


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _fields(table: FeatureTable) -> list[tuple[str, str, int]]:
    return [(name, field.kind, field.size) for name, field in table.fields.items()]


def _table(fields: list[tuple[str, str, int]]) -> FeatureTable:
    """Return a table of no rows with these fields: all that a model's shapes need."""

    def field(kind: str, size: int) -> Categorical | Bag | Dense:
        if kind == "categorical":
            return Categorical(np.empty(0, np.int32), size)
        if kind == "bag":
            return Bag(np.empty(0, np.int32), np.zeros(1, np.int64), size)
        if kind == "dense":
            return Dense(np.empty((0, size), np.float32))
        raise InvalidTypeError(f"field kind {kind!r}")

    return FeatureTable({name: field(kind, size) for name, kind, size in fields})


def _empty(items: FeatureTable, users: FeatureTable | None) -> TaskSet:
    return TaskSet(
        np.zeros(1, np.int64),
        np.empty(0, np.int64),
        np.empty(0, np.int32),
        np.empty(0, np.float32),
        None if users is None else np.empty(0, np.int32),
        items=items,
        users=users,
    )
