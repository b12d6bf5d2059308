"""Vectors of texts on disk, by the hash of the text."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from metarec.atomic import write_atomically


class VectorStore:
    """One encoder's vectors, in one safetensors file: hashes [n] and vectors [n, d]."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of those texts that are here; a damaged file counts as none."""
        hashes, vectors = self._load()
        places = {key: place for place, key in enumerate(hashes.tolist())}
        found = {text: places.get(key_of(text)) for text in texts}
        return {text: vectors[place] for text, place in found.items() if place is not None}

    def add(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep new texts' vectors beside those that are here now."""
        hashes, known = self._load()
        if len(hashes) and known.shape[1:] != vectors.shape[1:]:
            hashes, known = hashes[:0], known[:0]
        if not len(hashes):
            known = vectors[:0]
        keys = np.array([key_of(text) for text in texts], np.int64)
        fresh = ~np.isin(keys, hashes)
        arrays = {
            "hashes": np.concatenate([hashes, keys[fresh]]),
            "vectors": np.ascontiguousarray(np.concatenate([known, vectors[fresh]])),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, save(arrays))

    def _load(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        none = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
        try:
            arrays: dict[str, NDArray[Any]] = load_file(self._path)
        except (FileNotFoundError, SafetensorError):
            return none
        hashes, vectors = arrays.get("hashes"), arrays.get("vectors")
        if hashes is None or vectors is None or len(hashes) != len(vectors):
            return none
        return hashes, vectors


def key_of(text: str) -> int:
    """Return 64 bits of a text's SHA-256."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little", signed=True)
