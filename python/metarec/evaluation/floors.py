"""The trivial floors of every report: what any model must beat to be worth its cost."""

from metarec.baselines import Bias, GlobalMean, UserMean, UserMedian
from metarec.estimator import Estimator as Floor

#: The floors by their name in a report.
FLOORS: dict[str, type[Floor]] = {
    "global_mean": GlobalMean,
    "user_mean": UserMean,
    "user_median": UserMedian,
    "bias": Bias,
}

__all__ = ["FLOORS", "Bias", "Floor", "GlobalMean", "UserMean", "UserMedian"]
