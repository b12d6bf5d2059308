"""A short life of a model: fitted, adapted, saved, loaded; `make valgrind` watches it."""

import tempfile
from pathlib import Path

import numpy as np
from learners import random_tasks, small_learner

import metarec as mr


def main() -> None:
    tasks = random_tasks(tasks=8, dtype="float32")
    users = tasks.users
    assert users is not None
    for threads in (1, 2):
        model = small_learner(epochs=2, threads=threads).fit(tasks)
        user = model.adapt([0, 1], [1.0, 0.0], user=users.row(0))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.metarec"
            model.save(path)
            again = mr.load(path)
        predicted = model.predict(tasks)
        np.testing.assert_array_equal(again.predict(tasks), predicted)
        assert np.isfinite(user.predict(np.arange(12))).all()
    print("fitted, adapted, saved and loaded")


if __name__ == "__main__":
    main()
