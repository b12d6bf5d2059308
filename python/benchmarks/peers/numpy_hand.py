"""NumPy, first order, derivatives by hand: a loop over tasks, no padding, products by BLAS."""

from itertools import cycle

import numpy as np
from workload import INNER_LR, LR, Algorithm, Parameters, Workload

NAMES = [f"{layer}.{part}" for layer in ("dense0", "dense1", "head") for part in ("weight", "bias")]


class NumpyByHand:
    name = "NumPy by hand"

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def supports(self, algorithm: Algorithm) -> bool:
        return algorithm.name == "fomaml"

    def prepare(self, workload: Workload, algorithm: Algorithm) -> None:
        self.workload, self.algorithm = workload, algorithm
        self.batches = [workload.batch(number) for number in range(len(workload.batches))]
        self.order = cycle(self.batches)
        self.parameters = {name: values.copy() for name, values in workload.parameters.items()}
        self.m = {name: np.zeros_like(values) for name, values in self.parameters.items()}
        self.v = {name: np.zeros_like(values) for name, values in self.parameters.items()}
        self.step = 0

    def gradient(self, number: int) -> Parameters:
        return self._meta_gradient(self.batches[number])

    def gradients(self, count: int) -> None:
        for _ in range(count):
            self._meta_gradient(next(self.order))

    def steps(self, count: int) -> None:
        for _ in range(count):
            gradient = self._meta_gradient(next(self.order))
            self.step += 1
            one, two = 1 - 0.9**self.step, 1 - 0.999**self.step
            for name, g in gradient.items():
                m, v = self.m[name], self.v[name]
                m *= 0.9
                m += 0.1 * g
                v *= 0.999
                v += 0.001 * g * g
                self.parameters[name] -= (LR / one) * m / (np.sqrt(v * (1 / two)) + 1e-8)

    def adapt(
        self, items: np.ndarray, ratings: np.ndarray, user: int, candidates: np.ndarray | None
    ):
        workload = self.workload
        x = self._gather(workload.item_fields, workload.item_ids[items])
        u = self._gather(workload.user_fields, workload.user_ids[user])
        adapted = self._adapt(x, u, ratings)
        if candidates is None:
            return None
        return _forward(
            adapted, self._gather(workload.item_fields, workload.item_ids[candidates]), u
        )[-1]

    def _gather(self, fields: dict[str, int], ids: np.ndarray) -> np.ndarray:
        parts = [self.parameters[f"embedding.{name}"][ids[..., i]] for i, name in enumerate(fields)]
        return np.concatenate(parts, -1)

    def _adapt(self, x: np.ndarray, u: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        adapted = [self.parameters[name] for name in NAMES]
        for _ in range(self.algorithm.steps):
            gradient, _ = _backward(adapted, x, u, y)
            adapted = [p - INNER_LR * g for p, g in zip(adapted, gradient, strict=True)]
        return adapted

    def _meta_gradient(self, batch) -> Parameters:
        workload = self.workload
        found = {name: np.zeros_like(values) for name, values in self.parameters.items()}
        dense = [found[name] for name in NAMES]
        scale = np.float32(1 / len(batch.support))
        for (ids, y), (query_ids, qy), user in zip(
            batch.support, batch.query, batch.user, strict=True
        ):
            u = self._gather(workload.user_fields, user)
            adapted = self._adapt(self._gather(workload.item_fields, ids), u, y)
            gradient, g0 = _backward(adapted, self._gather(workload.item_fields, query_ids), u, qy)
            for total, g in zip(dense, gradient, strict=True):
                total += scale * g
            gx = (g0 @ adapted[0][: -len(u)].T) * scale
            gu = (adapted[0][-len(u) :] @ g0.sum(0)) * scale
            width = workload.embedding_dim
            for i, name in enumerate(workload.item_fields):
                np.add.at(
                    found[f"embedding.{name}"], query_ids[:, i], gx[:, i * width : (i + 1) * width]
                )
            for i, name in enumerate(workload.user_fields):
                found[f"embedding.{name}"][user[i]] += gu[i * width : (i + 1) * width]
        return found


def _forward(p: list[np.ndarray], x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, ...]:
    h1 = x @ p[0][: -len(u)]
    h1 += u @ p[0][-len(u) :] + p[1]
    np.maximum(h1, 0, out=h1)
    h2 = h1 @ p[2]
    h2 += p[3]
    np.maximum(h2, 0, out=h2)
    return h1, h2, h2 @ p[4][:, 0] + p[5]


def _backward(
    p: list[np.ndarray], x: np.ndarray, u: np.ndarray, y: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Gradients of the mean squared error, and of the first layer's sums."""
    h1, h2, out = _forward(p, x, u)
    g = (out - y) * np.float32(2 / len(y))
    g2 = np.outer(g, p[4][:, 0])
    g2 *= h2 > 0
    g1 = g2 @ p[2].T
    g1 *= h1 > 0
    row = g1.sum(0)
    w0 = np.empty_like(p[0])
    np.matmul(x.T, g1, out=w0[: -len(u)])
    np.multiply.outer(u, row, out=w0[-len(u) :])
    return [w0, row, h1.T @ g2, g2.sum(0), (h2.T @ g)[:, None], g.sum(keepdims=True)], g1
