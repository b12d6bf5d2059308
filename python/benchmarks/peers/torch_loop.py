"""PyTorch, one task after the other: `autograd.grad`, no modules copied, one backward a batch.

The rows of the whole batch are gathered at once, and the graph of second derivatives is made only
where it is used.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from workload import INNER_LR, Workload

from peers.torch_common import TorchPeer, head, hidden, outputs


class TorchLoop(TorchPeer):
    name = "PyTorch loop"

    def _batch(self, workload: Workload, number: int) -> Any:
        batch = workload.batch(number)
        sizes = [len(targets) for _, targets in batch.support]
        return (
            torch.from_numpy(np.concatenate([ids for ids, _ in batch.support])),
            sizes,
            torch.from_numpy(np.concatenate([ids for ids, _ in batch.query])),
            [torch.from_numpy(targets) for _, targets in batch.support],
            [torch.from_numpy(targets) for _, targets in batch.query],
            torch.from_numpy(batch.user),
        )

    def _objective(self, batch: Any) -> Tensor:
        ids, sizes, query_ids, targets, query_targets, users = batch
        items = self._gather(self.workload.item_fields, ids).split(sizes)
        queries = self._gather(self.workload.item_fields, query_ids).split(self.workload.query_rows)
        rows = self._gather(self.workload.user_fields, users).unbind()
        tasks = zip(items, targets, queries, query_targets, rows, strict=True)
        return torch.stack([self._task(*task) for task in tasks]).mean()

    def _task(self, x: Tensor, y: Tensor, qx: Tensor, qy: Tensor, u: Tensor) -> Tensor:
        decision, kind, steps = self._decision(), self.algorithm.name, self.algorithm.steps
        if kind == "anil":
            h, p = hidden(decision, x, u), decision[-2:]
            for _ in range(steps):
                g = torch.autograd.grad((head(p, h) - y).square().mean(), p, create_graph=True)
                p = [a - INNER_LR * b for a, b in zip(p, g, strict=True)]
            return (head(p, hidden(decision, qx, u)) - qy).square().mean()
        if kind == "reptile":
            return self._reptile(decision, x, u, y)
        if kind == "fomaml":
            p = _adapted(decision, x.detach(), u.detach(), y, steps)
            # Adapted values, gradients of the parameters: the inner gradients are constants.
            p = [a + (b - a).detach() for a, b in zip(decision, p, strict=True)]
            return (outputs(p, qx, u) - qy).square().mean()
        p = decision
        for _ in range(steps):
            g = torch.autograd.grad((outputs(p, x, u) - y).square().mean(), p, create_graph=True)
            p = [a - INNER_LR * b for a, b in zip(p, g, strict=True)]
        return (outputs(p, qx, u) - qy).square().mean()

    def _reptile(self, decision: list[Tensor], x: Tensor, u: Tensor, y: Tensor) -> Tensor:
        p, total = [a.detach() for a in decision], torch.zeros(())
        for _ in range(self.algorithm.steps):
            # At the adapted values, a function of the parameters: backward sums the gradients.
            at = [a + (b - a).detach() for a, b in zip(decision, p, strict=True)]
            loss = (outputs(at, x, u) - y).square().mean()
            g = torch.autograd.grad(loss, at, retain_graph=True)
            p = [a - INNER_LR * b for a, b in zip(p, g, strict=True)]
            total = total + loss
        return total

    def adapt(
        self, items: np.ndarray, ratings: np.ndarray, user: int, candidates: np.ndarray | None
    ):
        workload = self.workload
        with torch.no_grad():
            x = self._gather(workload.item_fields, torch.from_numpy(workload.item_ids[items]))
            u = self._gather(workload.user_fields, torch.from_numpy(workload.user_ids[user]))
        p = _adapted(self._decision(), x, u, torch.from_numpy(ratings), self.algorithm.steps)
        if candidates is None:
            return None
        with torch.no_grad():
            ids = torch.from_numpy(workload.item_ids[candidates])
            return outputs(p, self._gather(workload.item_fields, ids), u).numpy()


def _adapted(decision: list[Tensor], x: Tensor, u: Tensor, y: Tensor, steps: int) -> list[Tensor]:
    """The decision layers after first-order steps, cut off from their graph."""
    p = [a.detach() for a in decision]
    for _ in range(steps):
        for a in p:
            a.requires_grad_()
        g = torch.autograd.grad((outputs(p, x, u) - y).square().mean(), p)
        with torch.no_grad():
            p = [a - INNER_LR * b for a, b in zip(p, g, strict=True)]
    return p
