"""Models in files: safetensors, everything else as JSON in its metadata. Never pickle."""

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from metarec import _metarec
from metarec.arrays import under
from metarec.dataset import Dataset
from metarec.encoding import decode, encode
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import FeatureTable
from metarec.provenance import Provenance
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.estimator import DistributionEstimator
    from metarec.learner import MetaLearner

    Model: TypeAlias = MetaLearner | DistributionEstimator

FORMAT = 1
Arrays = dict[str, NDArray[Any]]


def save(model: "Model", path: Path) -> None:
    """Write `model` to `path`, atomically: the old file stays whole until the new one is."""
    name = type(model).__name__
    if type(model) is not _classes().get(name):
        raise InvalidTypeError(f"a {name} cannot be saved, only {', '.join(_classes())}")
    learned, arrays = model._state()
    about = {
        "format": FORMAT,
        "version": _metarec.__version__,
        "class": name,
        "params": encode(model.get_params(deep=False)),
        "learned": learned,
    }
    # safetensors writes arrays that are not C-contiguous wrongly.
    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        save_file(contiguous, temporary, metadata={"metarec": json.dumps(about)})
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except SafetensorError as error:
        raise OSError(f"{path}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | Path) -> Any:
    """Return the model that `MetaLearner.save` wrote to `path`.

    It predicts the same bits, and continues training as the saved one would have.

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
    # A file may hold anything: whatever goes wrong, it is the file that is wrong.
    try:
        kind = _classes().get(about["class"])
        if kind is None:
            raise InvalidValueError(f"no class {about['class']!r}; there are {list(_classes())}")
        model = kind(**decode(about["params"]))
        model._restore(about["learned"], arrays)
    except Exception as error:
        raise InvalidValueError(f"{path}: damaged; {type(error).__name__}: {error}") from error
    return model


def describe(model: "MetaLearner") -> tuple[dict[str, Any], Arrays]:
    """Return what `model` has learned, as JSON and arrays that are its memory, for `restore`."""
    native = model._native
    arrays: Arrays = {f"parameter/{name}": value for name, value in model.parameters().items()}
    arrays |= {f"optimizer/{name}": value for name, value in native.optimizer_state().items()}
    about: dict[str, Any] = {"steps": native.steps, "history": model.history_}
    if model.trained_on_ is not None:
        arrays["trained_on"], about["trained_on"] = model.trained_on_.state()
    if model.negatives is not None:
        arrays["item_counts"] = model.item_counts_
    about["learned"] = model._learned()
    about["beside"], beside = model._beside()
    arrays |= {f"beside/{name}": value for name, value in beside.items()}
    if model._data is not None:
        more, about["data"] = model._data.schema_state()
    else:
        # What items there are belongs to the model, who the users were does not.
        users = None if model._users is None else model._users.take([])
        more, about["items"] = model._items.state("items")
        if users is not None:
            of_users, about["users"] = users.state("users")
            more |= of_users
    return about, arrays | {f"data/{name}": value for name, value in more.items()}


def restore(model: "MetaLearner", about: dict[str, Any], arrays: Arrays) -> None:
    """Give `model`, which has its options, what `describe` told."""
    stored = under("data/", arrays)
    model._restore_learned(about.get("learned", {}))
    if "data" in about:
        data = Dataset.from_state(stored, about["data"])
        model._begin(data.tasks(), data)
    else:
        items = FeatureTable.from_state("items", stored, about["items"])
        users = None
        if "users" in about:
            users = FeatureTable.from_state("users", stored, about["users"])
        model._begin(_no_tasks(items, users), None)
    native = model._native
    for kind, live in (("parameter", native.parameters()), ("optimizer", native.optimizer_state())):
        saved = under(f"{kind}/", arrays)
        if saved.keys() != live.keys():
            raise InvalidValueError(f"{kind}: {sorted(saved)}, wanted {sorted(live)}")
        for name, view in live.items():
            if saved[name].shape != view.shape or saved[name].dtype != view.dtype:
                raise InvalidValueError(
                    f"{kind} {name}: {saved[name].dtype.name} {list(saved[name].shape)}, wanted "
                    f"{view.dtype.name} {list(view.shape)}"
                )
            view[...] = saved[name]
    native.steps = about["steps"]
    if model.negatives is not None:
        counts = arrays["item_counts"]
        if counts.dtype != np.float64 or counts.shape != (model._items.rows,):
            raise InvalidValueError(f"item_counts: {counts.dtype.name} {list(counts.shape)}")
        model.item_counts_ = counts
    model._restore_beside(about.get("beside", {}), under("beside/", arrays))
    if "trained_on" in about:
        model.trained_on_ = Provenance.from_state(arrays["trained_on"], about["trained_on"])
    model.history_ = [dict(row) for row in about["history"]]


def _classes() -> dict[str, Any]:
    from metarec.cold_start import ColdStart
    from metarec.factorisation import BayesianMF
    from metarec.learner import MetaLearner
    from metarec.presets import FineTune, MeLU

    return {kind.__name__: kind for kind in (MetaLearner, ColdStart, MeLU, FineTune, BayesianMF)}


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    with open(path, "rb"):
        pass  # says plainly if there is no such file
    try:
        # Some versions have types.
        with safe_open(path, framework="np") as file:  # type: ignore[no-untyped-call,unused-ignore]
            text = (file.metadata() or {}).get("metarec")
            if text is None:
                raise InvalidValueError(f"{path}: not a model of metarec")
            about = json.loads(text)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except InvalidValueError:
        raise
    except Exception as error:
        raise InvalidValueError(f"{path}: not a model of metarec, or damaged; {error}") from error
    if not isinstance(about, dict) or not isinstance(about.get("format"), int):
        raise InvalidValueError(f"{path}: damaged; its description has no format")
    if about["format"] > FORMAT:
        raise InvalidValueError(
            f"{path}: format {about['format']}, written by metarec {about.get('version')}; this "
            f"version reads up to {FORMAT}"
        )
    return about, arrays


def _no_tasks(items: FeatureTable, users: FeatureTable | None) -> TaskSet:
    return TaskSet(
        np.zeros(1, np.int64),
        np.empty(0, np.int64),
        np.empty(0, np.int32),
        np.empty(0, np.float32),
        None if users is None else np.empty(0, np.int32),
        items=items,
        users=users,
    )
