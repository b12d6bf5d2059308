"""Memory stays constant and threads get the answers of one: a short run of `make soak`."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from learners import random_tasks, small_learner
from soak import adapting, fitting, growth, soak


def in_a_fresh_process(measure: Callable[[], float]) -> float:
    """Measure where no earlier test has left memory to be used again."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure).result()


def of_adapting() -> float:
    return growth(adapting(small_learner(epochs=1).fit(random_tasks())), 2000)


def of_fitting() -> float:
    return growth(fitting, 60)


def of_a_leak() -> float:
    kept = []
    return growth(lambda index: kept.append(bytearray(2**14)), 1000)


def test_adapting_leaves_nothing_in_memory() -> None:
    assert in_a_fresh_process(of_adapting) < 4  # MiB


def test_fitting_leaves_nothing_in_memory() -> None:
    assert in_a_fresh_process(of_fitting) < 8  # MiB


def test_a_leak_is_seen() -> None:
    assert in_a_fresh_process(of_a_leak) > 8


def test_eight_threads_get_the_answers_of_one() -> None:
    counts = soak(float(os.environ.get("METAREC_SOAK", "5")))
    assert set(counts) == {"right"}
    assert counts["right"] > 100
