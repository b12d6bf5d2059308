"""Sentence encoders behind `metarec.features.text`, and their vectors kept on disk."""

from metarec.text.encoder import SentenceEncoder

__all__ = ["SentenceEncoder"]
