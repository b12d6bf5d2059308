"""A network's distribution and those of factorisations, in one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from metarec.blend import KINDS, logs_of, nearest, pooled, weights_by_kind
from metarec.decisions import Floats
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

        def joined(values: Callable[[Evidence], NDArray[Any]]) -> NDArray[Any]:
            return np.concatenate([values(part) for part in evidence])

        known, ratings = joined(lambda part: part.known), joined(lambda part: part.ratings)
        distributions = [joined(lambda part: part.network)]
        for place, partner in enumerate(partners):
            means = joined(lambda part, place=place: part.means[place])
            variances = joined(lambda part, place=place: part.variances[place])
            distribution = np.empty_like(distributions[0])
            for kind, rows in (("known", known), ("new", ~known)):
                probit = partner.probits_[kind].fit(means[rows], variances[rows], ratings[rows])
                distribution[rows] = probit.probabilities(means[rows], variances[rows])
            distributions.append(distribution)
        hits = nearest(levels, ratings)
        return cls(partners, weights_by_kind(logs_of(distributions), hits, known))

    def distribution(self, network: Floats, tasks: TaskSet) -> Floats:
        """Return the mixed probabilities of the levels, given those of the network."""
        parts = [network, *(each.predict(tasks, "distribution") for each in self.partners)]
        return pooled(logs_of(parts), self.weights, self.partners[0]._is_known(tasks))

    # In files

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and a JSON-able dict from which `from_state` makes this again."""
        arrays: dict[str, NDArray[Any]] = {}
        partners = []
        for place, partner in enumerate(self.partners):
            more, about = partner._state()
            arrays |= {f"{place}/{name}": value for name, value in more.items()}
            partners.append(about)
        weights = {kind: value.tolist() for kind, value in self.weights.items()}
        return arrays, {"partners": partners, "weights": weights}

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> Self:
        """Return what `state` told."""
        partners = []
        for place, about in enumerate(state["partners"]):
            prefix = f"{place}/"
            own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
            partners.append(BayesianMF._from_state(own, about))
        return cls(partners, {kind: np.array(state["weights"][kind]) for kind in KINDS})


def _tasks_of(held_out: Splits | TaskSet) -> list[TaskSet]:
    if isinstance(held_out, TaskSet):
        return [held_out]
    return [
        scenario.tasks(draw, support_size=size)
        for scenario in held_out.values()
        if len(scenario)
        for draw, size in enumerate(SUPPORTS[: scenario.draws])
    ]
