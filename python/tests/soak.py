"""Eight threads adapt, predict and fit at once, for minutes; every answer is checked.

`python soak.py --minutes 10`; `make soak` does so, and measures what 10,000 adapts and 300 fits
leave in memory.
"""

import argparse
import gc
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from learners import copies, random_tasks, same_bits, small_learner

import metarec as mr

USERS = 40


def resident() -> float:
    """MiB of memory in use."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth(action: Callable[[int], Any], count: int) -> float:
    """MiB by which memory grows over the last four fifths of `count` actions."""
    for index in range(count // 5):
        action(index)
    before = resident()
    for index in range(count // 5, count):
        action(index)
    return resident() - before


def adapting(model: mr.MetaLearner) -> Callable[[int], Any]:
    """A user of that number, adapted: the predictions of all items."""

    def adapt(index: int) -> np.ndarray:
        user = index % USERS
        rated = [user % 12, (user * 5 + 1) % 12]
        return model.adapt(rated, [1.0, user / USERS], user=model_users.row(user % 4)).predict(
            np.arange(12)
        )

    model_users = random_tasks().users
    assert model_users is not None
    return adapt


def fitting(index: int) -> dict[str, np.ndarray]:
    """A small model, fitted: its parameters."""
    tasks = random_tasks(seed=index % 4, tasks=12)
    return copies(small_learner(epochs=1, seed=index % 4, threads=1 + index % 2).fit(tasks))


def soak(seconds: float, threads: int = 8) -> Counter[str]:
    """Run until the time is over; how many answers were right and wrong."""
    tasks = random_tasks(tasks=USERS)
    shared = small_learner(epochs=2, threads=1).fit(tasks)
    adapt = adapting(shared)
    adapted = [adapt(user) for user in range(USERS)]
    predicted = [shared.predict(tasks.take([user])) for user in range(USERS)]
    fitted = [fitting(index) for index in range(4)]
    until = time.monotonic() + seconds
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def work(thread: int) -> None:
        index, mine = thread, Counter[str]()
        try:
            while time.monotonic() < until:
                index = (index * 1103515245 + 12345) % 2**31
                user, kind = index // 8 % USERS, index // 512 % 8
                if kind == 0:
                    right = same_bits(fitting(user), fitted[user % 4])
                elif kind < 4:
                    right = bool((shared.predict(tasks.take([user])) == predicted[user]).all())
                else:
                    right = bool((adapt(user) == adapted[user]).all())
                mine["right" if right else "wrong"] += 1
        except BaseException as error:
            mine[f"{type(error).__name__}: {error}"] += 1
        with lock:
            counts.update(mine)

    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--adapts", type=int, default=10_000)
    parser.add_argument("--fits", type=int, default=300)
    chosen = parser.parse_args()
    adapted = growth(adapting(small_learner(epochs=1).fit(random_tasks())), chosen.adapts)
    print(f"{chosen.adapts} adapts: {adapted:+.1f} MiB", flush=True)
    fits = growth(fitting, chosen.fits)
    print(f"{chosen.fits} fits: {fits:+.1f} MiB", flush=True)
    before = resident()
    counts = soak(60 * chosen.minutes)
    print(f"{chosen.minutes} minutes of 8 threads: {dict(counts)}, {resident() - before:+.1f} MiB")
    return 0 if set(counts) == {"right"} and adapted < 4 and fits < 8 else 1


if __name__ == "__main__":
    sys.exit(main())
