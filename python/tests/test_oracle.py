"""Losses, adapted parameters and meta-gradients of an independent system, to 1e-10."""

import os
from pathlib import Path

import numpy as np
import pytest

import metarec as mr

FOLDER = os.environ.get("METAREC_ORACLE")
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(
        not FOLDER, reason="METAREC_ORACLE is not set: no independent values to compare with"
    ),
]

# The oracle's names, by ours; its weights are stored (out, in).
TABLES = {
    "embedding.cat": "cat",
    "embedding.bag": "bag",
    "embedding.ua": "ua",
    "embedding.ub": "ub",
}
LAYERS = {
    f"{layer}.{part}": f"{letter}{number}"
    for number, layer in enumerate(("dense0", "dense1", "head"), 1)
    for part, letter in (("weight", "w"), ("bias", "b"))
}
NAMES = TABLES | LAYERS
# The oracle's algorithms, as ours: algorithm, what is adapted.
ALGORITHMS = {
    "maml": ("maml", "decision"),
    "mamlall": ("maml", "all"),
    "anil": ("anil", None),
    "metasgd": ("meta_sgd", "decision"),
    "reptile": ("reptile", "decision"),
    "reptileall": ("reptile", "all"),
}
CASES = [
    (file, algorithm, order, dtype)
    for file in ("mse_k1", "mse_k2", "mse_k5", "bce_k1", "bce_k2", "bce_k5")
    for algorithm in ALGORITHMS
    for order in (("-",) if algorithm.startswith("reptile") else ("so", "fo"))
    for dtype in ("float64", "float32")
]


def ours(name, array):
    """An oracle array [..., out, in] as ours [..., in, out]; vectors and tables as they are."""
    return np.swapaxes(array, -1, -2) if name.endswith(".weight") else array


def tasks_of(oracle, dtype):
    items = mr.FeatureTable(
        {
            "cat": mr.Categorical(
                oracle["task/item_cat"].astype(np.int32), size=len(oracle["param/cat"])
            ),
            "bag": mr.Bag(
                oracle["task/bag_ids"].astype(np.int32),
                oracle["task/bag_ptr"].astype(np.int64),
                size=len(oracle["param/bag"]),
            ),
        }
    )
    users = mr.FeatureTable(
        {
            "ua": mr.Categorical(
                oracle["task/user_a"].astype(np.int32), size=len(oracle["param/ua"])
            ),
            "ub": mr.Categorical(
                oracle["task/user_b"].astype(np.int32), size=len(oracle["param/ub"])
            ),
        }
    )
    return mr.TaskSet(
        oracle["task/ptr"].astype(np.int64),
        oracle["task/n_support"].astype(np.int64),
        oracle["task/item"].astype(np.int32),
        oracle["task/y"].astype(dtype),
        oracle["task/task_user"].astype(np.int32),
        items=items,
        users=users,
    )


def learner_of(oracle, file, algorithm, order, dtype, tasks):
    name, adapt = ALGORITHMS[algorithm]
    kinds = {kind.native_name: kind for kind in mr.components.COMPONENTS.values()}
    options = {"inner_lr": float(oracle["inner_lr"]), "inner_steps": int(oracle["inner_steps"])}
    if adapt:
        options["adapt"] = adapt
    if order != "-":
        options["order"] = {"so": 2, "fo": 1}[order]
    learner = mr.MetaLearner(
        backbone=mr.FeatureMLP(
            embedding_dim=oracle["param/cat"].shape[1],
            hidden=(len(oracle["param/b1"]), len(oracle["param/b2"])),
        ),
        algorithm=kinds[name](**options),
        loss="squared_error" if file.startswith("mse") else "logistic",
        dtype=dtype,
    ).initialize(tasks)
    for name, view in learner.parameters().items():
        if name.startswith("step_size."):
            their = NAMES[name.removeprefix("step_size.")]
            view[...] = ours(name, oracle[f"msgd_lr/{their}"]).reshape(view.shape)
        else:
            view[...] = ours(name, oracle[f"param/{NAMES[name]}"]).reshape(view.shape)
    return learner


@pytest.mark.parametrize(("file", "algorithm", "order", "dtype"), CASES)
def test_agrees(file, algorithm, order, dtype):
    oracle = np.load(Path(FOLDER) / f"oracle_{file}.npz")
    tasks = tasks_of(oracle, dtype)
    learner = learner_of(oracle, file, algorithm, order, dtype, tasks)
    tolerance = 1e-10 if dtype == "float64" else 1e-4

    def close(found, wanted):
        wanted = np.asarray(wanted).reshape(np.shape(found))
        scale = max(1.0, np.abs(wanted).max()) if dtype == "float64" else np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * scale)

    loss, gradients = learner.meta_gradient(tasks)
    prefix = f"{algorithm}/{order}"
    close(loss, oracle[f"{algorithm}/qry_loss"].mean())
    for name, gradient in gradients.items():
        if name.startswith("step_size."):
            their = NAMES[name.removeprefix("step_size.")]
            close(gradient, ours(name, oracle[f"{prefix}/grad_lr/{their}"]))
        else:
            close(gradient, ours(name, oracle[f"{prefix}/grad/{NAMES[name]}"]))

    adapted = learner.adapted_parameters(tasks)
    wanted = {
        name: oracle[f"{algorithm}/adapted/{their}"]
        for name, their in NAMES.items()
        if f"{algorithm}/adapted/{their}" in oracle
    }
    assert adapted.keys() == wanted.keys()
    for name, value in adapted.items():
        close(value, ours(name, wanted[name]))
    close(learner.support_losses(tasks), oracle[f"{algorithm}/sup_loss"])
    predictions = oracle[f"{algorithm}/pred_q"]
    if file.startswith("bce"):
        predictions = 1 / (1 + np.exp(-predictions))
    close(learner.predict(tasks), predictions)
