"""A BERT sentence encoder as an ONNX model, from its weights: no PyTorch needed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from metarec.errors import InvalidValueError
from metarec.onnx_graph import OnnxGraph


def bert_as_onnx(folder: Path) -> bytes:
    """Return the encoder whose config.json and model.safetensors are in `folder`.

    Inputs input_ids and attention_mask, int64 [n, t]; output [n, d]: the mean of the last layer's
    tokens, scaled to norm 1, as sentence-transformers' pooling by mean and normalisation.

    Devlin, Chang, Lee and Toutanova, "BERT", NAACL 2019; Reimers and Gurevych, "Sentence-BERT",
    EMNLP 2019.

    Raises
    ------
    InvalidValueError
        The model is no BERT with gelu and absolute positions.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    wanted = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    for key, value in wanted.items():
        if config.get(key, value) != value:
            raise InvalidValueError(f"{folder}: expected {key} {value!r}, got {config[key]!r}")
    width, heads = config["hidden_size"], config["num_attention_heads"]
    weights = load_file(folder / "model.safetensors")
    graph = OnnxGraph("text")

    def normalised(x: str, name: str) -> str:
        scale, shift = weights[f"{name}.LayerNorm.weight"], weights[f"{name}.LayerNorm.bias"]
        epsilon = config["layer_norm_eps"]
        return graph.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    def linear(x: str, name: str) -> str:
        product = graph.node("MatMul", x, np.ascontiguousarray(weights[f"{name}.weight"].T))
        return graph.node("Add", product, weights[f"{name}.bias"])

    def by_head(x: str, order: list[int]) -> str:
        split = graph.node("Reshape", x, np.array([0, 0, heads, width // heads]))
        return graph.node("Transpose", split, perm=order)

    ids = graph.input("input_ids", np.int64, ["n", "t"])
    mask = graph.node("Cast", graph.input("attention_mask", np.int64, ["n", "t"]), to=1)
    length = graph.node("Slice", graph.node("Shape", ids), np.array([1]), np.array([2]))
    places = weights["embeddings.position_embeddings.weight"]
    x = graph.node("Gather", weights["embeddings.word_embeddings.weight"], ids)
    x = graph.node("Add", x, graph.node("Slice", places, np.array([0]), length, np.array([0])))
    x = graph.node("Add", x, weights["embeddings.token_type_embeddings.weight"][0])
    x = normalised(x, "embeddings")
    # Tokens that only fill up get no attention.
    absent = graph.node("Sub", np.float32(1), graph.node("Unsqueeze", mask, np.array([1, 2])))
    penalty = graph.node("Mul", absent, np.float32(-1e9))
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        query = by_head(linear(x, f"{at}.attention.self.query"), [0, 2, 1, 3])
        key = by_head(linear(x, f"{at}.attention.self.key"), [0, 2, 3, 1])
        value = by_head(linear(x, f"{at}.attention.self.value"), [0, 2, 1, 3])
        scores = graph.node("MatMul", query, key)
        scores = graph.node("Mul", scores, np.float32((width // heads) ** -0.5))
        attention = graph.node("Softmax", graph.node("Add", scores, penalty), axis=-1)
        mixed = graph.node("Transpose", graph.node("MatMul", attention, value), perm=[0, 2, 1, 3])
        mixed = graph.node("Reshape", mixed, np.array([0, 0, width]))
        x = graph.node("Add", x, linear(mixed, f"{at}.attention.output.dense"))
        x = normalised(x, f"{at}.attention.output")
        inner = _gelu(graph, linear(x, f"{at}.intermediate.dense"))
        x = normalised(graph.node("Add", x, linear(inner, f"{at}.output.dense")), f"{at}.output")
    column = graph.node("Unsqueeze", mask, np.array([2]))
    total = graph.node("ReduceSum", graph.node("Mul", x, column), np.array([1]), keepdims=0)
    mean = graph.node("Div", total, graph.node("ReduceSum", mask, np.array([1]), keepdims=1))
    norm = graph.node("ReduceL2", mean, axes=[1], keepdims=1)
    vectors = graph.node("Div", mean, graph.node("Max", norm, np.float32(1e-12)))
    return graph.model((vectors, np.float32, ["n", width]))


def _gelu(graph: OnnxGraph, x: str) -> Any:
    """Return x Φ(x), Φ the normal distribution function."""
    error = graph.node("Erf", graph.node("Mul", x, np.float32(0.5**0.5)))
    half = graph.node("Mul", graph.node("Add", error, np.float32(1)), np.float32(0.5))
    return graph.node("Mul", x, half)
