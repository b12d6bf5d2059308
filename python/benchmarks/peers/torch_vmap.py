"""torch.func: vmap over tasks of the gradient, two length groups, backward around it."""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vmap
from workload import INNER_LR, Algorithm, Workload

from peers.torch_common import TorchPeer, head, hidden, outputs

GROUPS = 2


class TorchVmap(TorchPeer):
    name = "torch.func vmap"

    def _batch(self, workload: Workload, number: int) -> Any:
        batch = workload.batch(number)
        each = workload.batch_size // GROUPS
        groups = []
        for group in range(GROUPS):
            tasks = range(group * each, (group + 1) * each)
            length = max(len(batch.support[task][1]) for task in tasks)
            ids = np.zeros((each, length, len(workload.item_fields)), np.int32)
            targets = np.zeros((each, length), np.float32)
            weights = np.zeros((each, length), np.float32)
            for row, task in enumerate(tasks):
                its_ids, its_targets = batch.support[task]
                n = len(its_targets)
                ids[row, :n], targets[row, :n], weights[row, :n] = its_ids, its_targets, 1 / n
            query_ids = np.stack([batch.query[task][0] for task in tasks])
            query_targets = np.stack([batch.query[task][1] for task in tasks])
            arrays = (ids, targets, weights, query_ids, query_targets, batch.user[list(tasks)])
            groups.append(tuple(torch.from_numpy(a) for a in arrays))
        return groups

    def _objective(self, batch: Any) -> Tensor:
        items, users = self.workload.item_fields, self.workload.user_fields
        total = torch.zeros(())
        for ids, y, w, query_ids, qy, user_ids in batch:
            rows = self._gather(items, ids), self._gather(users, user_ids)
            task = partial(_task, self.algorithm, self._decision())
            losses = vmap(task)(*rows, y, w, self._gather(items, query_ids), qy)
            total = total + losses.sum()
        return total / self.workload.batch_size


def _loss(p: list[Tensor], x: Tensor, u: Tensor, y: Tensor, w: Tensor) -> Tensor:
    return (w * (outputs(p, x, u) - y).square()).sum()


def _task(
    algorithm: Algorithm,
    decision: list[Tensor],
    x: Tensor,
    u: Tensor,
    y: Tensor,
    w: Tensor,
    qx: Tensor,
    qy: Tensor,
) -> Tensor:
    if algorithm.name == "anil":
        h, p = hidden(decision, x, u), decision[-2:]
        for _ in range(algorithm.steps):
            g = grad(lambda p, h: (w * (head(p, h) - y).square()).sum())(p, h)
            p = [a - INNER_LR * b for a, b in zip(p, g, strict=True)]
        return (head(p, hidden(decision, qx, u)) - qy).square().mean()
    p, total = decision, torch.zeros(())
    for _ in range(algorithm.steps):
        if algorithm.name == "maml":
            g = grad(_loss)(p, x, u, y, w)
        else:  # at constant values: the graph of second derivatives is not made
            g = grad(_loss)([a.detach() for a in p], x.detach(), u.detach(), y, w)
        if algorithm.name == "reptile":
            at = [a + (b - a).detach() for a, b in zip(decision, p, strict=True)]
            total = total + _loss(at, x, u, y, w)
        p = [a - INNER_LR * b for a, b in zip(p, g, strict=True)]
    if algorithm.name == "reptile":
        return total
    return (outputs(p, qx, u) - qy).square().mean()
