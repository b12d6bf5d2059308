"""A column of texts to vectors."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.cache import cache_folder
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.frames import read_columns
from metarec.text.encoder import Encoder, SentenceEncoder
from metarec.text.store import VectorStore


def encode_texts(
    column: Any,
    encoder: Encoder | str | Path | None,
    cache: bool | str | Path,
    fingerprint: str | None,
) -> NDArray[np.float32]:
    """Return vectors [rows, d]: every distinct text encoded once, zeros where there is none."""
    texts = _texts(column)
    encode = _resolved(encoder)
    distinct = list(dict.fromkeys(text for text in texts if text))
    store = _store(encode, cache, fingerprint)
    known = {} if store is None else store.read(distinct)
    missing = [text for text in distinct if text not in known]
    if missing:
        vectors = _checked(encode(missing), len(missing))
        if known and vectors.shape[1] != len(next(iter(known.values()))):
            # Another encoder under the same name.
            known, missing = {}, distinct
            vectors = _checked(encode(missing), len(missing))
        if store is not None:
            store.add(missing, vectors)
        known |= zip(missing, vectors, strict=True)
    if not known:
        raise InvalidValueError("column: expected at least one text, got none")
    width = len(next(iter(known.values())))
    nothing = np.zeros(width, np.float32)
    rows = [known[text] if text else nothing for text in texts]
    return np.ascontiguousarray(np.stack(rows), np.float32)


def _texts(column: Any) -> list[str | None]:
    found = read_columns({"": column}, "column")[""]
    texts: list[str | None] = []
    for row, (value, null) in enumerate(zip(found.values.tolist(), found.null, strict=True)):
        if not null and not isinstance(value, str):
            raise InvalidTypeError(f"column[{row}]: expected str or None, got {value!r}")
        texts.append(None if null else value.strip())
    return texts


def _resolved(encoder: Encoder | str | Path | None) -> Encoder:
    if encoder is None or isinstance(encoder, (str, Path)):
        return SentenceEncoder(encoder)
    # Such as a SentenceTransformer: being called is PyTorch's own there.
    method = getattr(encoder, "encode", None)
    if callable(method):
        return method  # type: ignore[no-any-return]
    if not callable(encoder):
        raise InvalidTypeError(
            f"encoder: expected a function of texts, a folder or None, got {type(encoder).__name__}"
        )
    return encoder


def _store(
    encoder: Encoder, cache: bool | str | Path, fingerprint: str | None
) -> VectorStore | None:
    name = fingerprint or getattr(encoder, "fingerprint", None)
    if cache is False or name is None:
        return None
    folder = cache_folder() / "text" if cache is True else Path(cache)
    digest = hashlib.sha256(str(name).encode()).hexdigest()
    return VectorStore(folder / f"{digest[:32]}.safetensors")


def _checked(given: Any, count: int) -> NDArray[np.float32]:
    try:
        vectors = np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"encoder: expected an array [n, d]; {error}") from None
    if vectors.ndim != 2 or len(vectors) != count or vectors.shape[1] == 0:
        raise InvalidValueError(
            f"encoder: expected vectors [{count}, d] of {count} texts, got shape "
            f"{list(vectors.shape)}"
        )
    if not np.isfinite(vectors).all():
        raise InvalidValueError("encoder: expected finite numbers, got NaN or infinity")
    return vectors
