"""Models in files: safetensors, everything else as JSON in its metadata. Never pickle."""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from metarec import _metarec
from metarec.arrays import as_path, check_finite, under
from metarec.dataset import Dataset
from metarec.encoding import decode, encode
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import FeatureTable
from metarec.provenance import Provenance
from metarec.rawvalues import to_json
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.estimator import DistributionEstimator
    from metarec.learner import MetaLearner

    Model: TypeAlias = MetaLearner | DistributionEstimator

FORMAT = 2
#: A description is small: what is longer was not written by `save`.
_LONGEST = 1 << 24
Arrays = dict[str, NDArray[Any]]


def save(
    model: "Model",
    path: Path,
    more: Mapping[str, Any] | None = None,
    beside: Arrays | None = None,
) -> None:
    """Write `model` to `path`, atomically: the old file stays whole until the new one is.

    `more` and `beside` join its description and its arrays.
    """
    name = class_name(model)
    learned, arrays = model._state()
    about = {
        "format": FORMAT,
        "version": _metarec.__version__,
        "class": name,
        "params": encode(model.get_params(deep=False)),
        "learned": learned,
    }
    _write(path, about | dict(more or {}), arrays | (beside or {}))


def class_name(model: "Model") -> str:
    """Return the name of a model's class, if a file can have it."""
    name = type(model).__name__
    if type(model) is not saved_classes().get(name):
        raise InvalidTypeError(f"a {name} cannot be saved, only {', '.join(saved_classes())}")
    return name


def _write(path: Path, about: dict[str, Any], arrays: Arrays) -> None:
    for name, value in arrays.items():
        if value.dtype == object:
            for each in value.tolist():
                try:
                    to_json(each)
                except InvalidTypeError as error:
                    raise InvalidTypeError(f"{name}: {error}") from None
    # safetensors writes arrays that are not C-contiguous wrongly.
    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    text = json.dumps(sealed(about, contiguous))
    if len(text) > _LONGEST:
        raise InvalidValueError(
            f"{path}: a description of {len(text)} characters, wanted at most {_LONGEST}"
        )
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        save_file(contiguous, temporary, metadata={"metarec": text})
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except SafetensorError as error:
        raise OSError(f"{path}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what writers of `path` left behind that were killed."""
    for left in path.parent.glob(f".{escape(path.name)}.{'[0-9a-f]' * 8}"):
        left.unlink(missing_ok=True)


def sealed(about: Mapping[str, Any], arrays: Arrays) -> dict[str, Any]:
    """Return the description with two hashes: of itself and the arrays' layout, of their contents.

    They tell damage from what was written. They are no signature.
    """
    told = {name: value for name, value in about.items() if name not in ("schema", "content")}
    layout = {name: [array.dtype.str, array.shape] for name, array in sorted(arrays.items())}
    text = json.dumps([told, layout], sort_keys=True)
    content = hashlib.blake2b(digest_size=16)
    for _, array in sorted(arrays.items()):
        content.update(np.ascontiguousarray(array).data)
    schema = hashlib.blake2b(text.encode(), digest_size=16)
    return told | {"schema": schema.hexdigest(), "content": content.hexdigest()}


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
    about, arrays = read(as_path(path, "path"))
    # A file may hold anything: whatever goes wrong, it is the file that is wrong.
    try:
        for name, value in arrays.items():
            # The optimizer may have seen a gradient whose square is infinite.
            if not name.startswith("optimizer/") and value.dtype.kind == "f":
                check_finite(value, name)
        kinds = saved_classes()
        kind = kinds.get(about["class"])
        if kind is None:
            raise InvalidValueError(f"no class {about['class']!r}; there are {list(kinds)}")
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
    about["rate_share"] = native.rate_share
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
    # A file's options ask for no more memory than the file has numbers.
    model._limit = sum(array.size for array in under("parameter/", arrays).values())
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
    del model._limit
    fill(model, about, arrays)
    if model.negatives is not None:
        counts = arrays["item_counts"]
        if counts.dtype != np.float64 or counts.shape != (model._items.rows,):
            raise InvalidValueError(f"item_counts: {counts.dtype.name} {list(counts.shape)}")
        model.item_counts_ = counts
    model._restore_beside(about.get("beside", {}), under("beside/", arrays))
    if "trained_on" in about:
        model.trained_on_ = Provenance.from_state(arrays["trained_on"], about["trained_on"])


def fill(model: "MetaLearner", about: dict[str, Any], arrays: Arrays) -> None:
    """Give `model`, whose shapes are fixed, the numbers that `describe` told."""
    native = model._native
    for kind, live in (("parameter", native.parameters()), ("optimizer", native.optimizer_state())):
        for name, saved in matching(kind, arrays, live).items():
            live[name][...] = saved
    native.steps = about["steps"]
    if about.get("rate_share", 1.0) != 1:  # Of most schedules it cannot be set.
        native.rate_share = about["rate_share"]
    model.history_ = [dict(row) for row in about["history"]]


def matching(kind: str, arrays: Arrays, live: Arrays) -> Arrays:
    """Return the arrays of a kind, which are to be of the names, shapes and types of `live`."""
    saved = under(f"{kind}/", arrays)
    if saved.keys() != live.keys():
        raise InvalidValueError(f"{kind}: {sorted(saved)}, wanted {sorted(live)}")
    for name, view in live.items():
        if saved[name].shape != view.shape or saved[name].dtype != view.dtype:
            raise InvalidValueError(
                f"{kind} {name}: {saved[name].dtype.name} {list(saved[name].shape)}, wanted "
                f"{view.dtype.name} {list(view.shape)}"
            )
    return saved


def saved_classes() -> dict[str, Any]:
    """Return the classes of models that a file can have, by name."""
    from metarec.cold_start import ColdStart
    from metarec.factorisation import BayesianMF
    from metarec.implicit import ImplicitColdStart
    from metarec.learner import MetaLearner
    from metarec.presets import FineTune, MeLU

    kinds = (MetaLearner, ColdStart, ImplicitColdStart, MeLU, FineTune, BayesianMF)
    return {kind.__name__: kind for kind in kinds}


def read(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Return the description and the arrays of a file.

    Raises
    ------
    InvalidValueError
        Not a file of metarec, damaged, or of a newer format.
    OSError
        It cannot be read.
    """
    with open(path, "rb"):
        pass  # says plainly if there is no such file
    try:
        # Some versions have types.
        with safe_open(path, framework="np") as file:  # type: ignore[no-untyped-call,unused-ignore]
            text = (file.metadata() or {}).get("metarec")
            if text is None:
                raise InvalidValueError(f"{path}: not a model of metarec")
            if len(text) > _LONGEST:
                raise InvalidValueError(f"{path}: damaged; a description of {len(text)} characters")
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
    if about["format"] > 1:  # Before, there were no hashes.
        written = sealed(about, arrays)
        for name, what in (("schema", "description"), ("content", "content")):
            if about.get(name) != written[name]:
                raise InvalidValueError(f"{path}: damaged; not the {what} that was written")
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
