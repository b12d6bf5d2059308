"""What both PyTorch peers share: the network, the tables, the optimizer."""

from abc import ABC, abstractmethod
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor
from workload import LR, Algorithm, Parameters, Workload

NAMES = [f"{layer}.{part}" for layer in ("dense0", "dense1", "head") for part in ("weight", "bias")]


class TorchPeer(ABC):
    """Tables in one tensor each; `_objective` gives a loss whose gradient is the meta-gradient."""

    def __init__(self, threads: int = 1) -> None:
        torch.set_num_threads(threads)

    def supports(self, algorithm: Algorithm) -> bool:
        return True

    def prepare(self, workload: Workload, algorithm: Algorithm) -> None:
        self.workload, self.algorithm = workload, algorithm
        self.batches = [self._batch(workload, number) for number in range(len(workload.batches))]
        self.order = cycle(self.batches)
        self.parameters = {
            name: torch.from_numpy(values.copy()).requires_grad_()
            for name, values in workload.parameters.items()
        }
        self.optimizer = torch.optim.Adam(self.parameters.values(), lr=LR, fused=True)

    @abstractmethod
    def _batch(self, workload: Workload, number: int) -> Any: ...

    @abstractmethod
    def _objective(self, batch: Any) -> Tensor:
        """Return the mean meta-loss; Reptile's has the same gradient as its direction."""

    def _gradient(self, batch: Any) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self._objective(batch).backward()

    def gradient(self, number: int) -> Parameters:
        self._gradient(self.batches[number])
        return {
            name: np.zeros(p.shape, np.float32) if p.grad is None else p.grad.numpy().copy()
            for name, p in self.parameters.items()
        }

    def gradients(self, count: int) -> None:
        for _ in range(count):
            self._gradient(next(self.order))

    def steps(self, count: int) -> None:
        for _ in range(count):
            self._gradient(next(self.order))
            self.optimizer.step()

    def _decision(self) -> list[Tensor]:
        return [self.parameters[name] for name in NAMES]

    def _gather(self, fields: dict[str, int], ids: Tensor) -> Tensor:
        """[..., fields] -> [..., fields * columns]"""
        parts = [
            torch.nn.functional.embedding(ids[..., i], self.parameters[f"embedding.{name}"])
            for i, name in enumerate(fields)
        ]
        return torch.cat(parts, -1)


def hidden(p: list[Tensor], x: Tensor, u: Tensor) -> Tensor:
    """Both hidden layers; the user's half of the first is one row."""
    width = x.shape[-1]
    h = torch.relu(x @ p[0][:width] + (u @ p[0][width:] + p[1]))
    return torch.relu(h @ p[2] + p[3])


def head(p: list[Tensor], h: Tensor) -> Tensor:
    return h @ p[-2][:, 0] + p[-1]


def outputs(p: list[Tensor], x: Tensor, u: Tensor) -> Tensor:
    return head(p, hidden(p, x, u))
