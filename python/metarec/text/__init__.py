"""Sentence encoders, and vectors of texts that are kept on disk: behind `metarec.features.text`."""

from metarec.text.encoder import Encoder, SentenceEncoder
from metarec.text.encoding import encode_texts

__all__ = ["Encoder", "SentenceEncoder", "encode_texts"]
