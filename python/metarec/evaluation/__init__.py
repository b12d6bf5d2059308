"""Measuring models: scenarios by metrics with intervals, beside the trivial floors."""

from metarec.evaluation.comparison import Comparison
from metarec.evaluation.evaluate import evaluate
from metarec.evaluation.floors import Bias, Floor, GlobalMean, UserMean, UserMedian
from metarec.evaluation.metrics import DEFAULT_METRICS
from metarec.evaluation.report import Report
from metarec.evaluation.scores import Interval

__all__ = [
    "DEFAULT_METRICS",
    "Bias",
    "Comparison",
    "Floor",
    "GlobalMean",
    "Interval",
    "Report",
    "UserMean",
    "UserMedian",
    "evaluate",
]
