"""Baselines: what a meta-learner has to beat, as estimators like any other."""

from metarec.baselines.als import ALS
from metarec.baselines.bias import Bias
from metarec.baselines.content_ridge import ContentRidge
from metarec.baselines.global_mean import GlobalMean
from metarec.baselines.implicit_als import ImplicitALS
from metarec.baselines.item_knn import ItemKNN
from metarec.baselines.item_mean import ItemMean
from metarec.baselines.popularity import Popularity
from metarec.baselines.user_mean import UserMean
from metarec.baselines.user_median import UserMedian

__all__ = [
    "ALS",
    "Bias",
    "ContentRidge",
    "GlobalMean",
    "ImplicitALS",
    "ItemKNN",
    "ItemMean",
    "Popularity",
    "UserMean",
    "UserMedian",
]
