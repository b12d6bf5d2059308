"""JAX, the ruler: jit(scan(grad(vmap(grad)))), supports padded within four length groups.

The first layer is split, so that the user's half is one product a task and its result a row that
broadcasting adds. Gradients are taken with respect to gathered rows and scattered once for all
groups. Adam is dense, in the same program.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from workload import BLOCK, INNER_LR, LENGTH_GROUPS, LR, Algorithm, Parameters, Workload


class JaxVmap:
    name = "JAX"

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def supports(self, algorithm: Algorithm) -> bool:
        return True

    def prepare(self, workload: Workload, algorithm: Algorithm) -> None:
        self.workload = workload
        self.algorithm = algorithm
        lengths = workload.group_lengths(LENGTH_GROUPS)
        batches = [_padded(workload, number, lengths) for number in range(len(workload.batches))]
        stacked = [jax.tree.map(lambda *a: np.stack(a), *batches[i : i + BLOCK])
                   for i in range(0, len(batches) - BLOCK + 1, BLOCK)]  # fmt: skip
        self.blocks = [jax.tree.map(jnp.asarray, block) for block in stacked]
        self.at = 0
        self.padded = batches
        self.items = list(workload.item_fields)
        self.users = list(workload.user_fields)
        self.parameters = {name: jnp.asarray(a) for name, a in workload.parameters.items()}
        zeros = jax.tree.map(jnp.zeros_like, self.parameters)
        copy = jax.tree.map(jnp.copy, self.parameters)  # the state is given away to every call
        self.state = (copy, zeros, jax.tree.map(jnp.zeros_like, zeros), jnp.float32(0))

        def meta_gradient(parameters: Any, batch: Any) -> Any:
            return _meta_gradient(
                parameters, batch, algorithm, self.items, self.users, workload.batch_size
            )

        def one(state: Any, batch: Any) -> Any:
            return _adam(state, meta_gradient(state[0], batch)), None

        def many_gradients(parameters: Any, batches: Any) -> Any:
            def body(_: Any, batch: Any) -> Any:
                return meta_gradient(parameters, batch), None

            return lax.scan(body, jax.tree.map(jnp.zeros_like, parameters), batches)[0]

        self.many_gradients = jax.jit(many_gradients)
        self.many_steps = jax.jit(
            lambda state, batches: lax.scan(one, state, batches)[0], donate_argnums=0
        )

    def gradient(self, number: int) -> Parameters:
        repeated = jax.tree.map(lambda a: jnp.stack([a] * BLOCK), self.padded[number])
        found = self.many_gradients(
            self.parameters, repeated
        )  # the last of the block: one program less
        return {name: np.asarray(a) for name, a in found.items()}

    def gradients(self, count: int) -> None:
        for _ in range(count // BLOCK):
            found = self.many_gradients(self.state[0], self._next())
        jax.block_until_ready(found)

    def steps(self, count: int) -> None:
        for _ in range(count // BLOCK):
            self.state = self.many_steps(self.state, self._next())
        jax.block_until_ready(self.state)

    def _next(self) -> Any:
        self.at = (self.at + 1) % len(self.blocks)
        return self.blocks[self.at]

    def adapt(
        self, items: np.ndarray, ratings: np.ndarray, user: int, candidates: np.ndarray | None
    ):
        """Compiled anew for every number of ratings and of candidates: nothing is padded."""
        if not hasattr(self, "_adapt"):
            self._tables = (
                jnp.asarray(self.workload.item_ids),
                jnp.asarray(self.workload.user_ids),
            )
            self._adapt = jax.jit(self._adapted)
        return jax.block_until_ready(
            self._adapt(self.parameters, *self._tables, items, ratings, user, candidates)
        )

    def _adapted(self, parameters, item_ids, user_ids, items, ratings, user, candidates):
        x = _gather(parameters, self.items, item_ids[items])
        u = _gather(parameters, self.users, user_ids[user])
        weights = jnp.full(ratings.shape, 1 / ratings.shape[0], ratings.dtype)
        decision = _decision(parameters)
        for _ in range(self.algorithm.steps):
            decision = _descend(decision, jax.grad(_loss)(decision, x, u, ratings, weights))
        if candidates is None:
            return decision
        return _outputs(decision, _gather(parameters, self.items, item_ids[candidates]), u)


def _padded(workload: Workload, number: int, lengths: list[int]) -> Any:
    """Per length group: support ids, targets, weights (1 / rows, 0 where padded), query, user."""
    batch = workload.batch(number)
    each = workload.batch_size // len(lengths)
    groups = []
    for group, length in enumerate(lengths):
        tasks = range(group * each, (group + 1) * each)
        ids = np.zeros((each, length, len(workload.item_fields)), np.int32)
        targets = np.zeros((each, length), np.float32)
        weights = np.zeros((each, length), np.float32)
        for row, task in enumerate(tasks):
            its_ids, its_targets = batch.support[task]
            n = len(its_targets)
            ids[row, :n], targets[row, :n], weights[row, :n] = its_ids, its_targets, 1 / n
        query_ids = np.stack([batch.query[task][0] for task in tasks])
        query_targets = np.stack([batch.query[task][1] for task in tasks])
        user = batch.user[list(tasks)]
        groups.append((ids, targets, weights, query_ids, query_targets, user))
    return groups


def _gather(parameters: Any, fields: list[str], ids: Any) -> Any:
    """[..., fields] -> [..., fields * columns]"""
    return jnp.concatenate(
        [parameters[f"embedding.{f}"][ids[..., i]] for i, f in enumerate(fields)], -1
    )


def _decision(parameters: Any) -> Any:
    return {name: a for name, a in parameters.items() if not name.startswith("embedding.")}


def _hidden(decision: Any, items: Any, user: Any) -> Any:
    width = items.shape[-1]
    weight = decision["dense0.weight"]
    row = user @ weight[width:] + decision["dense0.bias"]
    h = jax.nn.relu(items @ weight[:width] + row)
    return jax.nn.relu(h @ decision["dense1.weight"] + decision["dense1.bias"])


def _head(decision: Any, h: Any) -> Any:
    return h @ decision["head.weight"][:, 0] + decision["head.bias"]


def _outputs(decision: Any, items: Any, user: Any) -> Any:
    return _head(decision, _hidden(decision, items, user))


def _squares(outputs: Any, targets: Any, weights: Any) -> Any:
    return jnp.sum(weights * (outputs - targets) ** 2)


def _loss(decision: Any, items: Any, user: Any, targets: Any, weights: Any) -> Any:
    return _squares(_outputs(decision, items, user), targets, weights)


def _descend(parameters: Any, gradient: Any) -> Any:
    return jax.tree.map(lambda p, g: p - INNER_LR * g, parameters, gradient)


def _query_loss(
    algorithm: Algorithm, decision: Any, x: Any, u: Any, y: Any, w: Any, qx: Any, qy: Any
) -> Any:
    """One task's loss after adaptation: what the outer gradient differentiates."""
    query_weights = jnp.full(qy.shape, 1 / qy.shape[-1], qy.dtype)
    if algorithm.name == "anil":
        h = _hidden(decision, x, u)
        head = {name: decision[name] for name in ("head.weight", "head.bias")}
        for _ in range(algorithm.steps):
            head = _descend(head, jax.grad(lambda head: _squares(_head(head, h), y, w))(head))
        return _squares(_head(head, _hidden(decision, qx, u)), qy, query_weights)
    for _ in range(algorithm.steps):
        gradient = jax.grad(_loss)(decision, x, u, y, w)
        if algorithm.name == "fomaml":
            gradient = lax.stop_gradient(gradient)
        decision = _descend(decision, gradient)
    return _loss(decision, qx, u, qy, query_weights)


def _reptile(algorithm: Algorithm, decision: Any, x: Any, u: Any, y: Any, w: Any) -> Any:
    """One task's sum of inner gradients: of decision layers, item vectors, user vector."""
    total = None
    for _ in range(algorithm.steps):
        found = jax.grad(_loss, (0, 1, 2))(decision, x, u, y, w)
        total = found if total is None else jax.tree.map(jnp.add, total, found)
        decision = _descend(decision, found[0])
    return total


def _meta_gradient(
    parameters: Any,
    batch: Any,
    algorithm: Algorithm,
    items: list[str],
    users: list[str],
    tasks: int,
) -> Any:
    decision = _decision(parameters)
    dense: Any = jax.tree.map(jnp.zeros_like, decision)
    rows: list[tuple[list[str], Any, Any]] = []
    for ids, y, w, query_ids, qy, user_ids in batch:
        x, u = _gather(parameters, items, ids), _gather(parameters, users, user_ids)
        if algorithm.name == "reptile":
            g, gx, gu = jax.vmap(lambda *task: _reptile(algorithm, decision, *task))(x, u, y, w)
            g = jax.tree.map(lambda a: a.sum(0), g)
        else:
            qx = _gather(parameters, items, query_ids)

            def total(
                decision: Any, x: Any, u: Any, qx: Any, y: Any = y, w: Any = w, qy: Any = qy
            ) -> Any:
                task = jax.vmap(
                    lambda *task: _query_loss(algorithm, decision, *task),
                )
                return task(x, u, y, w, qx, qy).sum()

            g, gx, gu, gq = jax.grad(total, (0, 1, 2, 3))(decision, x, u, qx)
            rows.append((items, query_ids, gq))
        rows += [(items, ids, gx), (users, user_ids, gu)]
        dense = jax.tree.map(jnp.add, dense, g)
    found = dict(dense)
    for fields in (items, users):
        ids = jnp.concatenate([i.reshape(-1, len(fields)) for f, i, _ in rows if f is fields])
        values = jnp.concatenate([g.reshape(len(i.reshape(-1, len(fields))), len(fields), -1)
                                  for f, i, g in rows if f is fields])  # fmt: skip
        for column, name in enumerate(fields):
            table = parameters[f"embedding.{name}"]
            found[f"embedding.{name}"] = (
                jnp.zeros_like(table).at[ids[:, column]].add(values[:, column])
            )
    return {name: found[name] / tasks for name in parameters}


def _adam(
    state: Any, gradient: Any, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> Any:
    parameters, m, v, step = state
    step = step + 1
    m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, gradient)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, gradient)
    one, two = 1 - beta1**step, 1 - beta2**step
    parameters = jax.tree.map(
        lambda p, m, v: p - LR * (m / one) / (jnp.sqrt(v / two) + epsilon), parameters, m, v
    )
    return parameters, m, v, step
