"""The models of the accuracy table, and what of each is chosen on validation."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import metarec as mr

PRESET, NETWORK = "ColdStart", "ColdStart(factorisation=False)"
MOST_EPOCHS, PATIENCE = 30, 4
DROPOUTS = (0.0, 0.2, 0.4, 0.6)


def on_melus_network(
    algorithm: Any, embedding_dim: int = 32, lr: float = 1e-3
) -> Callable[..., mr.MetaLearner]:
    """Return a maker of learners with this algorithm, of MeLU's network as published."""
    return lambda dropout, **options: mr.MetaLearner(
        algorithm=algorithm,
        backbone=mr.FeatureMLP(embedding_dim=embedding_dim, dropout=dropout),
        optimizer=mr.Adam(lr=lr),
        **options,
    )


INNER = {"inner_lr": 0.01, "inner_steps": 5}
TUNED_MAML = mr.MAML(inner_lr=0.036, inner_steps=2, adapt="all")
LEARNERS: dict[str, Callable[..., mr.MetaLearner]] = {
    "FineTune": mr.FineTune,
    "MeLU": mr.MeLU,
    "MAML": on_melus_network(TUNED_MAML, embedding_dim=16, lr=3.6e-4),
    "MAML, first order": on_melus_network(mr.MAML(order=1, **INNER)),
    "ANIL": on_melus_network(mr.ANIL(**INNER)),
    "Reptile": on_melus_network(mr.Reptile(**INNER)),
    "Meta-SGD": on_melus_network(mr.MetaSGD(**INNER)),
}
#: The first and the best of thirty trials of each (tuned/), which validation puts second.
RIVALS: dict[str, Callable[..., mr.MetaLearner]] = {
    "FineTune, best trial": partial(
        mr.FineTune, embedding_dim=8, inner_lr=0.029, inner_steps=7, lr=2.3e-4
    ),
    "MeLU, best trial": partial(mr.MeLU, inner_lr=0.024, inner_steps=3, lr=5.7e-4),
    "MAML, first trial": on_melus_network(mr.MAML(inner_steps=5, adapt="all")),
}
LEARNERS |= RIVALS
BASELINES: dict[str, Callable[[int, int | None], Any]] = {
    "ALS, fold-in": lambda seed, threads: mr.baselines.ALS(seed=seed, threads=threads),
    "ItemKNN": lambda seed, threads: mr.baselines.ItemKNN(),
    "ContentRidge": lambda seed, threads: mr.baselines.ContentRidge(threads=threads),
    "ItemMean": lambda seed, threads: mr.baselines.ItemMean(),
}
#: Without anything random: one copy is all of them.
EXACT = ("ItemKNN", "ContentRidge", "ItemMean")
DEFAULT = (PRESET, NETWORK, "BayesianMF", *BASELINES, "FineTune", "MeLU", "MAML")
NAMES = (*DEFAULT, *(name for name in LEARNERS if name not in DEFAULT))


class Trainer:
    """Trains every model once a seed, on the whole training part; validation chooses before.

    What is chosen, with the first seed, on `splits.train` and `splits.validation`: the number of
    epochs and the dropout of a meta-learner, how `BayesianMF` uses the scale. The preset chooses by
    itself, with every seed.
    """

    def __init__(
        self,
        splits: mr.split.Splits,
        seeds: Sequence[int],
        threads: int | None,
        dropouts: Sequence[float] = DROPOUTS,
    ) -> None:
        self.splits, self.seeds, self.threads = splits, seeds, threads
        self.dropouts = dropouts
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
        chosen = self._once(("chosen", name), lambda: self._chosen(name))
        model = LEARNERS[name](seed=seed, patience=None, threads=self.threads, **chosen)
        return model, f"{chosen['epochs']} epochs, dropout {chosen['dropout']}, "

    def _calibrated(self) -> mr.BayesianMF:
        """Return the factorisation that learned the use of the scale on validation."""
        model = mr.BayesianMF(seed=self.seeds[0], threads=self.threads)
        train, validation = self.splits.train, self.splits.validation
        return self._once(("calibrated",), lambda: model.fit(train, validation, progress=False))

    def _chosen(self, name: str) -> dict[str, Any]:
        """Return the dropout and the number of epochs with the least loss on validation."""
        tried = (self.tried(name, dropout, self.seeds[0]) for dropout in self.dropouts)
        _, dropout, epochs = min(tried)
        return {"dropout": dropout, "epochs": epochs}

    def tried(self, name: str, dropout: float, seed: int) -> tuple[float, float, int]:
        """Return the least loss of an epoch on validation, the dropout, and the epoch."""
        options = {"epochs": MOST_EPOCHS, "patience": PATIENCE, "threads": self.threads}
        model = LEARNERS[name](seed=seed, dropout=dropout, **options)
        model.fit(self.splits.train, validation=self.splits.validation, progress=False)
        best = min(model.history_, key=lambda row: row["validation"])
        return best["validation"], dropout, int(best["epoch"])

    def _once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
