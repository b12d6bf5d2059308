"""Whether probabilities are what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from metarec.evaluation.answer import Answer
from metarec.evaluation.frame import Rows
from metarec.evaluation.metrics import Floats
from metarec.evaluation.table import Table

BINS = 10


@dataclass(frozen=True, repr=False)
class Calibration(Rows):
    """The reliability of a model's most probable level, in bins of its probability.

    Where a model says 60 % of what it deems most probable, that should happen in 60 % of the rows.
    Rows of all draws and seeds are pooled.

    Attributes
    ----------
    model, scenario
        Whose, and where.
    ece
        The expected calibration error Σ rows/all · |frequency − confidence| (Guo et al., ICML
        2017).
    transform
        Histogram of the randomised probability integral transform in ten bins of [0, 1), as shares
        of the rows: flat, at .1, where distributions are calibrated; a valley says that they are
        too narrow.
    """

    model: str
    scenario: str
    transform: list[float]
    _schema: ClassVar[Mapping[str, Any]] = {
        **dict.fromkeys(("model", "scenario"), str),
        **dict.fromkeys(("low", "high", "confidence", "frequency"), float),
        "rows": int,
    }

    @staticmethod
    def of(model: str, scenario: str, answers: Sequence[Answer]) -> Calibration:
        """Return that of answers that are distributions."""
        parts = {
            name: np.concatenate([answer.calibration[name] for answer in answers])
            for name in ("confidence", "hit", "transform")
        }
        confidence = parts["confidence"]
        place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)

        def sums(values: Floats | None = None) -> Floats:
            return np.bincount(place, values, BINS).astype(np.float64, copy=False)

        counts = sums()
        with np.errstate(invalid="ignore"):
            means, hits = sums(confidence) / counts, sums(parts["hit"]) / counts
        rows = [
            {
                "model": model,
                "scenario": scenario,
                "low": at / BINS,
                "high": (at + 1) / BINS,
                "confidence": float(means[at]),
                "frequency": float(hits[at]),
                "rows": int(counts[at]),
            }
            for at in range(BINS)
            if counts[at]
        ]
        shares = np.histogram(parts["transform"], BINS, (0, 1))[0] / len(confidence)
        return Calibration(rows, model, scenario, shares.tolist())

    @property
    def ece(self) -> float:
        """The expected calibration error."""
        total = sum(row["rows"] for row in self.rows)
        gaps = (row["rows"] * abs(row["frequency"] - row["confidence"]) for row in self.rows)
        return float(sum(gaps) / total)

    def _table(self) -> Table:
        rows = [
            [
                f"{row['low']:.1f} to {row['high']:.1f}",
                f"{row['confidence']:.3f}",
                f"{row['frequency']:.3f}",
                f"{row['rows']:,}",
            ]
            for row in self.rows
        ]
        title = f"{self.model} on {self.scenario}: reliability, ECE {self.ece:.3f}"
        return Table(title, ["probability", "said", "happened", "rows"], rows)
