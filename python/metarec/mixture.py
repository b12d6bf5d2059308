"""A network's distribution and those of factorisations, in one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.arrays import under
from metarec.baselines.als import as_threads
from metarec.blend import KINDS, logs_of, nearest, pooled, weights_by_kind
from metarec.decisions import Floats
from metarec.errors import InvalidValueError
from metarec.estimator import State
from metarec.factorisation import BayesianMF
from metarec.splits import Splits
from metarec.tasks import TaskSet

#: Most support rows of the held-out tasks, draw by draw: users of whom much and little is known.
SUPPORTS = (90, 20)


class Network(Protocol):
    """What stands beside the factorisations."""

    levels_: Floats

    def _tasks(self, tasks: TaskSet) -> TaskSet: ...

    def _network(self, tasks: TaskSet) -> Floats: ...


@dataclass(frozen=True)
class Evidence:
    """What a network and factorisations say of held-out rows, and what came."""

    network: Floats
    means: Floats
    variances: Floats
    ratings: Floats
    known: NDArray[np.bool_]

    @classmethod
    def of(
        cls, network: Network, partners: Sequence[BayesianMF], held_out: Splits | TaskSet
    ) -> list[Self]:
        """Return the evidence of every held-out task set."""
        found = []
        for tasks in map(network._tasks, _tasks_of(held_out)):
            moments = [partner._moments(tasks, True) for partner in partners]
            found.append(
                cls(
                    network._network(tasks),
                    np.array([means for means, _ in moments]),
                    np.array([variances for _, variances in moments]),
                    tasks.query_targets()[0].astype(np.float64),
                    partners[0]._is_known(tasks),
                )
            )
        return found


@dataclass(frozen=True)
class Mixture:
    """Fitted factorisations and, by kind of item, the weights of the network and of them."""

    partners: list[BayesianMF]
    weights: dict[str, Floats]

    @classmethod
    def learned(
        cls, partners: list[BayesianMF], evidence: Sequence[Evidence], levels: Floats
    ) -> Self:
        """Return the mixture that is most likely, and teach the factorisations to use the scale.

        Without evidence nothing stands beside the factorisation.
        """
        if not evidence:
            return cls(partners, {kind: np.eye(1 + len(partners))[1] for kind in KINDS})

        known = np.concatenate([part.known for part in evidence])
        ratings = np.concatenate([part.ratings for part in evidence])
        distributions = [np.concatenate([part.network for part in evidence])]
        for place, partner in enumerate(partners):
            means = np.concatenate([part.means[place] for part in evidence])
            variances = np.concatenate([part.variances[place] for part in evidence])
            distribution = np.empty_like(distributions[0])
            for kind, rows in (("known", known), ("new", ~known)):
                probit = partner.probits_[kind].fit(means[rows], variances[rows], ratings[rows])
                distribution[rows] = probit.probabilities(means[rows], variances[rows])
            distributions.append(distribution)
        hits = nearest(levels, ratings)
        return cls(partners, weights_by_kind(logs_of(distributions), hits, known))

    @property
    def levels(self) -> Floats:
        """The values of the levels."""
        return self.partners[0].probits_["known"].levels

    def distribution(self, network: Floats, tasks: TaskSet) -> Floats:
        """Return the mixed probabilities of the levels, given those of the network."""
        parts = [network, *(each.predict(tasks, "distribution") for each in self.partners)]
        return pooled(logs_of(parts), self.weights, self.partners[0]._is_known(tasks))

    def fold_user(self, tasks: TaskSet) -> list[NDArray[np.float32]]:
        """Return the only task's user as every factorisation takes him in, for `of_items`."""
        return [partner._fold_user(tasks) for partner in self.partners]

    def of_items(
        self,
        network: NDArray[np.floating[Any]],
        users: Sequence[NDArray[np.float32]],
        items: NDArray[np.int32],
    ) -> Floats:
        """Return what `distribution` would of one user's items, given the network's probabilities.

        In single precision, and many times faster: no item costs more than some products.
        """
        pairs = zip(self.partners, users, strict=True)
        moments = np.array([partner._moments_of(user, items) for partner, user in pairs])
        probits = [[partner.probits_[kind] for partner in self.partners] for kind in KINDS[::-1]]
        return _metarec.mix_levels(
            network.astype(np.float64),
            self.partners[0]._has_ratings(items),
            np.ascontiguousarray(moments[:, 0]),
            np.ascontiguousarray(moments[:, 1]),
            self.levels,
            np.array([[p.cuts for p in kind] for kind in probits]),
            np.array([[(p.slope, p.shift, p.stretch) for p in kind] for kind in probits]),
            np.array([self.weights[kind] for kind in KINDS[::-1]]),
            as_threads(self.partners[0].threads),
        )

    # In files

    def state(self) -> State:
        """Return what `restored` makes this of again."""
        arrays: dict[str, NDArray[Any]] = {}
        learned = []
        for place, partner in enumerate(self.partners):
            about, more = partner._learned()
            learned.append(about)
            arrays |= {f"{place}/{name}": value for name, value in more.items()}
        weights = {kind: value.tolist() for kind, value in self.weights.items()}
        return {"partners": learned, "weights": weights}, arrays

    @classmethod
    def restored(
        cls,
        partners: list[BayesianMF],
        levels: Floats,
        about: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
    ) -> Self:
        """Return what `state` told, of factorisations with their options."""
        for place, (partner, learned) in enumerate(zip(partners, about["partners"], strict=True)):
            partner._take_learned(learned, under(f"{place}/", arrays))
            partner.mean_, partner.levels_, partner.trained_on_ = learned["mean"], levels, None
            for kind in KINDS:
                if not np.array_equal(partner.probits_[kind].levels, levels):
                    raise InvalidValueError(f"probits: not of the levels {levels.tolist()}")
        weights = {kind: np.array(about["weights"][kind], np.float64) for kind in KINDS}
        for each in weights.values():
            if each.shape != (1 + len(partners),) or not (np.isfinite(each) & (each >= 0)).all():
                raise InvalidValueError(
                    f"weights: expected {1 + len(partners)} of at least 0, got {each.tolist()}"
                )
        return cls(partners, weights)


def _tasks_of(held_out: Splits | TaskSet) -> list[TaskSet]:
    if isinstance(held_out, TaskSet):
        return [held_out]
    return [
        scenario.tasks(draw, support_size=size)
        for scenario in held_out.values()
        if len(scenario)
        for draw, size in enumerate(SUPPORTS[: scenario.draws])
    ]
