"""The models of the accuracy table, and what of each is chosen on validation."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import metarec as mr

PRESET, NETWORK = "ColdStart", "ColdStart(factorisation=False)"
MOST_EPOCHS, PATIENCE = 30, 4
# MeLU's network; MAML and its relatives take five inner steps on the decision layers.
INNER = {"inner_lr": 0.01, "inner_steps": 5}

LEARNERS: dict[str, Callable[..., mr.MetaLearner]] = {
    "FineTune": mr.FineTune,
    "MeLU": mr.MeLU,
    "MAML": lambda **o: mr.MetaLearner(algorithm=mr.MAML(**INNER), **o),
    "MAML, first order": lambda **o: mr.MetaLearner(algorithm=mr.MAML(order=1, **INNER), **o),
    "ANIL": lambda **o: mr.MetaLearner(algorithm=mr.ANIL(**INNER), **o),
    "Reptile": lambda **o: mr.MetaLearner(algorithm=mr.Reptile(**INNER), **o),
    "Meta-SGD": lambda **o: mr.MetaLearner(algorithm=mr.MetaSGD(**INNER), **o),
}
BASELINES: dict[str, Callable[[int, int | None], Any]] = {
    "ALS, fold-in": lambda seed, threads: mr.baselines.ALS(seed=seed, threads=threads),
    "ItemKNN": lambda seed, threads: mr.baselines.ItemKNN(),
    "ContentRidge": lambda seed, threads: mr.baselines.ContentRidge(threads=threads),
    "ItemMean": lambda seed, threads: mr.baselines.ItemMean(),
}
#: Without anything random: one copy is all of them.
EXACT = ("ItemKNN", "ContentRidge", "ItemMean")
DEFAULT = (PRESET, NETWORK, "BayesianMF", *BASELINES, "FineTune", "MeLU", "MAML")
NAMES = (*DEFAULT, "MAML, first order", "ANIL", "Reptile", "Meta-SGD")


class Trainer:
    """Trains every model once a seed, on the whole training part; validation chooses before.

    What is chosen, with the first seed, on `splits.train` and `splits.validation`: the number of
    epochs of a meta-learner, how `BayesianMF` uses the scale. The preset chooses by itself, with
    every seed.
    """

    def __init__(self, splits: mr.split.Splits, seeds: Sequence[int], threads: int | None) -> None:
        self.splits, self.seeds, self.threads = splits, seeds, threads
        self.facts: dict[str, str] = {}
        self._kept: dict[tuple[Any, ...], Any] = {}

    def copies(self, name: str) -> list[Any]:
        """Return the model, trained with every seed."""
        if name in EXACT:
            return [self._trained(name, self.seeds[0])]
        return [self._trained(name, seed) for seed in self.seeds]

    def _trained(self, name: str, seed: int) -> Any:
        return self._once(("trained", name, seed), lambda: self._train(name, seed))

    def _train(self, name: str, seed: int) -> Any:
        whole = self.splits.train_and_validation
        model, chosen = self._new(name, seed)
        started = time.perf_counter()
        if name == PRESET:
            model.fit(whole, self.splits.validation, progress=False)
            shown = (
                f"{kind} items {', '.join(f'{value:.2f}' for value in weights.values())}"
                for kind, weights in model.weights_.items()
            )
            chosen = f"weights for {' and '.join(shown)}, "
        elif isinstance(model, mr.MetaLearner):
            model.fit(whole, progress=False)
        else:
            model.fit(whole)
        seconds = time.perf_counter() - started
        self.facts[name] = f"{chosen}{seconds:.0f} s a training run"
        return model

    def _new(self, name: str, seed: int) -> tuple[Any, str]:
        if name in (PRESET, NETWORK):
            beside = name == PRESET
            return mr.ColdStart(seed=seed, threads=self.threads, factorisation=beside), ""
        if name == "BayesianMF":
            probits = self._calibrated().probits_
            return mr.BayesianMF(seed=seed, threads=self.threads, probits=probits), ""
        if name in BASELINES:
            return BASELINES[name](seed, self.threads), ""
        epochs = self._once(("epochs", name), lambda: self._best_epochs(name))
        options = {"epochs": epochs, "patience": None, "threads": self.threads}
        return LEARNERS[name](seed=seed, **options), f"{epochs} epochs, "

    def _calibrated(self) -> mr.BayesianMF:
        """Return the factorisation that learned the use of the scale on validation."""
        model = mr.BayesianMF(seed=self.seeds[0], threads=self.threads)
        train, validation = self.splits.train, self.splits.validation
        return self._once(("calibrated",), lambda: model.fit(train, validation, progress=False))

    def _best_epochs(self, name: str) -> int:
        options = {"epochs": MOST_EPOCHS, "patience": PATIENCE, "threads": self.threads}
        model = LEARNERS[name](seed=self.seeds[0], **options)
        model.fit(self.splits.train, validation=self.splits.validation, progress=False)
        return int(min(model.history_, key=lambda row: row["validation"])["epoch"])

    def _once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
