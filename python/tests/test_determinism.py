"""The same seed gives the same bits, whatever the number of threads."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner, small_preset

import metarec as mr

ALGORITHMS = {
    "maml": mr.MAML(inner_steps=2),
    "maml, all": mr.MAML(inner_steps=2, adapt="all", order=1),
    "anil": mr.ANIL(inner_steps=2),
    "meta-sgd": mr.MetaSGD(inner_steps=2, adapt="all"),
    "reptile": mr.Reptile(inner_steps=2),
    "joint training": mr.JointTraining(inner_steps=2),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_run_gives_the_same_bits_again_on_any_number_of_threads(name, dtype):
    tasks = random_tasks(tasks=90)
    tasks = tasks.take(np.flatnonzero(tasks.support_counts).tolist() * 3)

    def run(threads, seed=5):
        model = small_learner(
            algorithm=ALGORITHMS[name], dtype=dtype, threads=threads, seed=seed, epochs=2,
            batch_size=100, unknown_rate=0.1,
        )  # fmt: skip
        model.fit(tasks)
        state = copies(model) | model._native.optimizer_state()
        extra = [model.predict(tasks), model.support_losses(tasks)]
        return state | {str(n): value for n, value in enumerate(extra)}, model.history_

    first, history = run(1)
    for threads in (1, 2, 5, None):
        again, same = run(threads)
        assert same_bits(first, again)
        assert same == history
    other, _ = run(1, seed=6)
    assert not any((first[name] == other[name]).all() for name in first if name.endswith("weight"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_drawn_episodes_follow_the_seed_alone(dtype):
    data = mr.datasets.synthetic(users=120, items=50, seed=0)

    def run(threads, seed):
        options = {"dtype": dtype, "threads": threads, "seed": seed, "unknown_rate": 0.05}
        return copies(small_preset("MeLU", **options).fit(data))

    first = run(1, 0)
    assert same_bits(first, run(2, 0))
    assert not same_bits(first, run(1, 1))


def test_the_gradient_does_not_depend_on_threads():
    tasks = random_tasks(tasks=200)
    results = []
    for threads in (1, 2, 3):
        loss, gradients = small_learner(threads=threads).initialize(tasks).meta_gradient(tasks)
        results.append(gradients | {"loss": loss.hex()})
    assert all(r.pop("loss") == results[0]["loss"] for r in results[1:])
    results[0].pop("loss")
    assert all(same_bits(results[0], r) for r in results[1:])


FITS = """
    import hashlib
    import numpy as np
    import metarec as mr
    from metarec.algebra import orthonormal, product

    data = mr.datasets.synthetic(users=150, items=300, seed=0)
    splits = mr.split.cold_start(data, seed=0)
    tasks = splits.new_both.tasks()
    options = {"rank": 4, "samples": 3, "burn_in": 5}
    stars = mr.ColdStart(factorisation=options, epochs=2, seed=0).fit(splits.train, progress=False)
    ones = mr.Dataset.from_arrays(data.user, data.item, [1.0] * len(data))
    clicks = mr.ColdStart(seed=0).fit(ones)
    ridge = mr.baselines.ContentRidge().fit(splits.train)
    many = np.random.default_rng(0).normal(size=(3000, 300))
    found = [mr.datasets.synthetic(users=2000, items=3000, seed=0).rating]
    found += [stars.predict(tasks), clicks.adapt([1, 2]).predict(range(100)), ridge.predict(tasks)]
    found += [product(many, many, transposed=True), orthonormal(many)]
    print(*(hashlib.sha256(each.tobytes()).hexdigest() for each in found))
"""


def test_fits_do_not_follow_the_threads_of_numpys_blas():
    def run(threads):
        environment = os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)}
        names = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(FITS)],
            capture_output=True,
            text=True,
            check=True,
            env=environment | dict.fromkeys(names, str(threads)),
        ).stdout

    assert run(1) == run(2) == run(4)
