"""Memory stays constant and threads get the answers of one: a short run of `make soak`."""

import os

from learners import random_tasks, small_learner
from soak import adapting, fitting, growth, soak


def test_adapting_leaves_nothing_in_memory() -> None:
    assert growth(adapting(small_learner(epochs=1).fit(random_tasks())), 2000) < 4  # MiB


def test_fitting_leaves_nothing_in_memory() -> None:
    assert growth(fitting, 60) < 8  # MiB


def test_a_leak_is_seen() -> None:
    kept = []
    assert growth(lambda index: kept.append(bytearray(2**14)), 1000) > 8


def test_eight_threads_get_the_answers_of_one() -> None:
    counts = soak(float(os.environ.get("METAREC_SOAK", "5")))
    assert set(counts) == {"right"}
    assert counts["right"] > 100
