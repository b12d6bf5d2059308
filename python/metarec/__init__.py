"""Meta-learning for recommender systems: models that adapt to a new user from a handful of ratings.

>>> import metarec as mr
>>> data = mr.datasets.synthetic(users=300, items=150, seed=0)
>>> splits = mr.split.cold_start(data, seed=0)
>>> model = mr.MeLU(inner_steps=2, epochs=2, seed=0).fit(splits.train)
>>> model.adapt(items=[3, 14, 15], ratings=[5, 2, 4]).recommend(k=10)  # doctest: +SKIP
"""

from typing import Any

from metarec import baselines, callbacks, datasets, errors, export, features, plot, split, text
from metarec._metarec import __version__
from metarec.adapted import AdaptedUser, Recommendations
from metarec.blend import Blend
from metarec.checkpoint import Checkpoint
from metarec.cleaning import Cleaning
from metarec.cold_start import ColdStart
from metarec.components import COMPONENTS, Component
from metarec.dataset import Dataset
from metarec.episodes import Episodes
from metarec.errors import MetarecError
from metarec.evaluation import Report, evaluate
from metarec.factorisation import BayesianMF
from metarec.features import Bag, Categorical, Dense, FeatureTable
from metarec.files import load
from metarec.implicit import ImplicitColdStart
from metarec.instruction_set import check_forced
from metarec.learner import MetaLearner
from metarec.negatives import Negatives
from metarec.presets import FineTune, MeLU
from metarec.provenance import Provenance
from metarec.tasks import TaskSet
from metarec.tune import tune
from metarec.tuning import Tuning
from metarec.tutorial import AdaptedModel, MetaModel, meta_learning, meta_learning_recommendation

__all__ = [
    "AdaptedModel",
    "AdaptedUser",
    "Bag",
    "BayesianMF",
    "Blend",
    "Categorical",
    "Checkpoint",
    "Cleaning",
    "ColdStart",
    "Component",
    "Dataset",
    "Dense",
    "Episodes",
    "FeatureTable",
    "FineTune",
    "ImplicitColdStart",
    "MeLU",
    "MetaLearner",
    "MetaModel",
    "MetarecError",
    "Negatives",
    "Provenance",
    "Recommendations",
    "Report",
    "TaskSet",
    "Tuning",
    "__version__",
    "baselines",
    "callbacks",
    "datasets",
    "errors",
    "evaluate",
    "export",
    "features",
    "load",
    "meta_learning",
    "meta_learning_recommendation",
    "plot",
    "split",
    "text",
    "tune",
]

check_forced()


def __getattr__(name: str) -> Any:
    """Give the components that the native library declares: MAML, FeatureMLP, Adam, ..."""
    if name in COMPONENTS:
        return COMPONENTS[name]
    raise AttributeError(f"module 'metarec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *COMPONENTS])
