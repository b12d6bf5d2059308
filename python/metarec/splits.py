"""A training part and its test scenarios."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.dataset import Dataset
from metarec.display import html_table
from metarec.scenario import Scenario


class Splits(Mapping[str, Scenario]):
    """A training part and the test scenarios by name: ``splits["warm"]`` or ``splits.warm``.

    Attributes
    ----------
    train : Dataset
        View of every rating of existing users on existing items, less the warm queries and
        validation.
    validation : Splits or None
        Scenarios of the same shape, carved from the training part alone.
    train_and_validation : Dataset
        View of the whole training part, to train on once all choices are made.
    data : Dataset
        What was split.
    description : dict
        How: the function of `mr.split` and its options.
    """

    def __init__(
        self,
        data: Dataset,
        scenarios: Mapping[str, Scenario],
        training_rows: NDArray[np.int64],
        validation: "Splits | None" = None,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        self.data, self._scenarios, self._rows = data, dict(scenarios), training_rows
        self.validation, self.description = validation, dict(description or {})

    @cached_property
    def train(self) -> Dataset:
        """The ratings to train on."""
        return self.train_and_validation if self.validation is None else self.validation.train

    @cached_property
    def train_and_validation(self) -> Dataset:
        """The whole training part."""
        return self.data.view(self._rows)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the training rows and of every scenario's first draw."""
        digest = hashlib.blake2b(self.train_and_validation.rows.tobytes(), digest_size=8)
        for name, scenario in self._scenarios.items():
            digest.update(name.encode())
            for array in scenario.rows(0):
                digest.update(array.tobytes())
        return digest.hexdigest()

    @property
    def scenarios(self) -> Mapping[str, Scenario]:
        """The scenarios by name."""
        return self._scenarios

    def __getitem__(self, name: str) -> Scenario:
        return self._scenarios[name]

    def __getattr__(self, name: str) -> Scenario:
        scenarios = self.__dict__.get("_scenarios", {})
        if name in scenarios:
            found: Scenario = scenarios[name]
            return found
        raise AttributeError(f"no scenario {name!r}; there are {list(scenarios)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._scenarios)

    def __len__(self) -> int:
        return len(self._scenarios)

    def _lines(self) -> list[tuple[str, str, str]]:
        train = ("train", "", f"{len(self.train):,}")
        tests = [(n, f"{len(s):,}", f"{len(s.all_rows):,}") for n, s in self._scenarios.items()]
        held = () if self.validation is None else self.validation.scenarios.items()
        return [
            train,
            *tests,
            *((f"validation {n}", f"{len(s):,}", f"{len(s.all_rows):,}") for n, s in held),
        ]

    def __repr__(self) -> str:
        return "Splits\n" + "\n".join(
            f"  {name:<20} {tasks:>9} tasks {ratings:>11} ratings"
            if tasks
            else f"  {name:<20} {'':>15} {ratings:>11} ratings"
            for name, tasks, ratings in self._lines()
        )

    def _repr_html_(self) -> str:
        return html_table("Splits", ("", "tasks", "ratings"), self._lines())
