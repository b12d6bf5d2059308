"""Models for other programs: an adapted user's scorer as ONNX. Needs `metarec[onnx]`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec._metarec import __version__
from metarec.adapted import AdaptedUser
from metarec.arrays import as_path
from metarec.atomic import write_atomically
from metarec.embedding import embedded
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import Bag, Categorical, Dense, FeatureTable, Field
from metarec.onnx_graph import OnnxGraph

if TYPE_CHECKING:
    from metarec.learner import MetaLearner

__all__ = ["onnx", "onnx_inputs", "onnx_weights"]

#: From a network's output to the prediction, by loss.
_LINKS = {"squared_error": None, "gaussian": None, "logistic": "Sigmoid"}


def onnx(user: AdaptedUser, path: str | Path, *, replaceable: bool = False) -> None:
    """Write an adapted user's scorer as an ONNX model: features of items in, scores out.

    Inputs are named ``items.<field>``, one row per item: a categorical field int64 [n], a bag
    int64 [n, m] with rows filled up by −1, a dense field [n, d]; −1 is an unknown value.
    `onnx_inputs` makes them from a table. The output is ``score`` [n]. The user's own features are
    folded into the first layer. The model's metadata has, under ``metarec``, JSON with the fields
    and, where they are int or str, the raw values behind their numbers, in order.

    Parameters
    ----------
    user : AdaptedUser
        Of a model with the backbone `FeatureMLP` and a loss that predicts a number:
        `SquaredError`, `Gaussian` or `Logistic`.
    path
        The file; written atomically.
    replaceable : bool
        Make the weights that differ between users inputs too, so that one session serves all users:
        what `onnx_weights` returns of another user goes beside the features.

    Raises
    ------
    InvalidValueError
        The model has another backbone or loss, or attention over the support.
    StateError
        The model was trained since the user was adapted.
    MissingDependencyError
        onnx is not installed.

    Examples
    --------
    >>> ann = model.adapt(items=[3, 14], ratings=[5, 2])  # doctest: +SKIP
    >>> mr.export.onnx(ann, "ann.onnx")  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("ann.onnx")  # doctest: +SKIP
    >>> (scores,) = session.run(None, mr.export.onnx_inputs(data.items))  # doctest: +SKIP
    """
    weights, adapted = _weights(user), _adapted(user)
    model = _learner(user)
    dtype = weights["head.bias"].dtype
    graph = OnnxGraph()

    def weight(name: str) -> str:
        return graph.weight(name, weights[name], replaceable=replaceable and name in adapted)

    fields = model._items.fields.items()
    vectors = [_field(graph, name, field, dtype, weight) for name, field in fields]
    h = graph.node("Concat", *vectors, axis=1)
    for layer in _layers(weights):
        h = graph.node("Gemm", h, weight(f"{layer}.weight"), weight(f"{layer}.bias"))
        if layer != "head":
            h = graph.node("Relu", h)
    link = _LINKS[model._components()["loss"].native_name]
    if link is not None:
        h = graph.node(link, h)
    graph.node("Squeeze", h, np.array([1]), name="score")
    told = {"metarec": json.dumps(_described(model))}
    write_atomically(as_path(path, "path"), graph.model(("score", dtype, ["n"]), told))


def onnx_inputs(items: FeatureTable, rows: ArrayLike | None = None) -> dict[str, NDArray[Any]]:
    """Return features as an exported model takes them: of all items, or of some rows of the table.

    Examples
    --------
    >>> import metarec as mr
    >>> genres = mr.Bag(np.array([1, 0, 2], np.int32), np.array([0, 1, 1, 3]), size=3)
    >>> onnx_inputs(mr.FeatureTable({"genre": genres}))["items.genre"]
    array([[ 1, -1],
           [-1, -1],
           [ 0,  2]])
    """
    if not isinstance(items, FeatureTable):
        raise InvalidTypeError(f"items: expected FeatureTable, got {type(items).__name__}")
    table = items if rows is None else items.take(rows)
    inputs: dict[str, NDArray[Any]] = {}
    for name, field in table.fields.items():
        if isinstance(field, Categorical):
            inputs[f"items.{name}"] = field.ids.astype(np.int64)
        elif isinstance(field, Bag):
            counts = np.diff(field.offsets)
            filled = np.full((field.rows, max(1, counts.max(initial=0))), -1, np.int64)
            filled[np.arange(filled.shape[1]) < counts[:, None]] = field.ids
            inputs[f"items.{name}"] = filled
        else:
            inputs[f"items.{name}"] = field.vectors
    return inputs


def onnx_weights(user: AdaptedUser) -> dict[str, NDArray[Any]]:
    """Return the weights of a user that differ from other users', for a `replaceable` model.

    Raises
    ------
    InvalidValueError
        As of `onnx`.
    """
    adapted = _adapted(user)
    return {name: value for name, value in _weights(user).items() if name in adapted}


def _weights(user: AdaptedUser) -> dict[str, NDArray[Any]]:
    """Return tables and layers as the exported model has them, the user's features folded in."""
    _check(user)
    model, parameters = user._current(), user.parameters()
    weights = {
        # The row of zeros that −1, the last, stands for.
        f"embedding.{name}": np.concatenate(
            [table := parameters[f"embedding.{name}"], np.zeros((1, table.shape[1]), table.dtype)]
        )
        for name, field in model._items.fields.items()
        if not isinstance(field, Dense)
    }
    for layer in _layers(parameters):
        for part in ("weight", "bias"):
            weights[f"{layer}.{part}"] = parameters[f"{layer}.{part}"]
    features = user._support.features
    if features is not None:
        first = _layers(parameters)[0]
        matrix, bias = weights[f"{first}.weight"], weights[f"{first}.bias"]
        (own,) = embedded(features, parameters).astype(matrix.dtype)
        weights[f"{first}.weight"] = matrix[: -len(own)]
        weights[f"{first}.bias"] = bias + own @ matrix[-len(own) :]
    return weights


def _adapted(user: AdaptedUser) -> set[str]:
    """Return which weights differ between users."""
    model = _learner(user)
    adapted = set(model._native.adapted_names())
    if user._support.features is not None:
        adapted.add(f"{_layers(model.parameters())[0]}.bias")
    tables = {f"embedding.{name}" for name in model._items.fields}
    return {name for name in adapted if not name.startswith("embedding.") or name in tables}


def _layers(parameters: Any) -> list[str]:
    """Return the layers' names, from the first to the head."""
    hidden = sum(name.startswith("dense") and name.endswith(".weight") for name in parameters)
    return [*(f"dense{index}" for index in range(hidden)), "head"]


def _field(graph: OnnxGraph, name: str, field: Field, dtype: Any, weight: Any) -> str:
    """Add a field's input and the nodes that make vectors of it."""
    key = f"items.{name}"
    if isinstance(field, Dense):
        given = graph.input(key, field.vectors.dtype, ["n", field.size])
        if field.vectors.dtype == dtype:
            return given
        kind = {"float32": 1, "float64": 11}[dtype.name]
        return graph.node("Cast", given, to=kind)
    if isinstance(field, Categorical):
        ids = graph.input(key, np.int64, ["n"])
        return graph.node("Gather", weight(f"embedding.{name}"), ids)
    ids = graph.input(key, np.int64, ["n", f"{name} values"])
    rows = graph.node("Gather", weight(f"embedding.{name}"), ids)
    total = graph.node("ReduceSum", rows, np.array([1]), keepdims=0)
    known = graph.node("GreaterOrEqual", ids, np.array(0))
    ones = graph.node("Cast", known, to={"float32": 1, "float64": 11}[dtype.name])
    count = graph.node("ReduceSum", ones, np.array([1]), keepdims=1)
    return graph.node("Div", total, graph.node("Max", count, np.array(1, dtype)))


def _check(user: AdaptedUser) -> None:
    if not isinstance(user, AdaptedUser):
        raise InvalidTypeError(f"user: expected AdaptedUser, got {type(user).__name__}")
    parts = _learner(user)._components()
    backbone, loss, algorithm = parts["backbone"], parts["loss"], parts["algorithm"]
    if backbone.native_name != "feature_mlp":
        raise InvalidValueError(
            f"user: expected a model with the backbone FeatureMLP, got {type(backbone).__name__}: "
            "its scorer is not a plain network"
        )
    if loss.native_name not in _LINKS:
        raise InvalidValueError(
            f"user: expected a loss that predicts a number, SquaredError, Gaussian or Logistic, "
            f"got {type(loss).__name__}"
        )
    if getattr(algorithm, "attention", 0):
        raise InvalidValueError(
            "user: expected an algorithm without attention over the support, got "
            f"attention={algorithm.attention}"
        )


def _learner(user: AdaptedUser) -> "MetaLearner":
    from metarec.learner import MetaLearner

    model = user._current()
    if not isinstance(model, MetaLearner):
        raise InvalidTypeError(
            f"user: expected a MetaLearner adapted to one, got a {type(model).__name__}"
        )
    return model


def _described(model: "MetaLearner") -> dict[str, Any]:
    values = {} if model._data is None else model._data._items.values
    fields = []
    for name, field in model._items.fields.items():
        entry: dict[str, Any] = {"name": name, "kind": field.kind, "size": field.size}
        if name in values and values[name].kind() is not None:
            entry["values"] = values[name].values.tolist()
        fields.append(entry)
    return {"version": __version__, "model": repr(model), "items": fields}
