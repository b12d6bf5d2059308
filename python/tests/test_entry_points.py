"""The public functions answer nonsense with errors that say which argument it is."""

import contextlib
import os
import re
import resource
import signal
from random import Random
from typing import Any

import pytest
from entry_calls import Shop, calls, generic, unspoken
from hostile import Mischief, mischief, spoil

import metarec as mr
from metarec.errors import InvalidTypeError, InvalidValueError, MetarecError

CALLS = int(os.environ.get("METAREC_ENTRY_CALLS", "400"))


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


def hostile_call(shop: Shop, random: Random) -> tuple[str, Any, dict[str, Any]]:
    """The name of a function, the function and spoiled arguments."""
    if random.random() < 0.2:
        name, function = random.choice(list(unspoken().items()))
        return name, function, generic(function, random)
    name, (function, arguments) = random.choice(list(calls(shop).items()))
    arguments = dict(arguments)
    for argument in random.sample(list(arguments), min(len(arguments), random.choice([1, 1, 2]))):
        arguments[argument] = spoil(arguments[argument], random)
    return name, function, arguments


def complaint(error: Exception, arguments: dict[str, Any]) -> str | None:
    if isinstance(error, MetarecError | Mischief | OSError | MemoryError):
        return None  # files that are not there; what is too large to be made
    if not isinstance(error, TypeError | ValueError):
        return "not an error of metarec"
    named = any(re.search(rf"(?<!\w){re.escape(name)}", str(error)) for name in arguments)
    return None if named else "names no argument"


@pytest.fixture
def bounded():
    """Six GiB of addresses, and two seconds for a call, as if by Ctrl-C: sizes may be huge."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, mischief)
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, limits[1]))
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.filterwarnings("ignore")
def test_hostile_calls_end_in_answers_or_in_errors(shop, bounded, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = {}
    for index in range(CALLS):
        name, function, arguments = hostile_call(shop, Random(f"entry {index}"))
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            function(**arguments)
        except Exception as error:
            if said := complaint(error, arguments):
                found[name, said, type(error)] = f"{index}: {error!r:.200} of {arguments!r:.300}"
    assert found == {}


def test_most_good_calls_are_good(shop, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused = set()
    for name, (function, arguments) in calls(shop).items():
        with contextlib.suppress(Exception):
            function(**arguments)
            continue
        refused.add(name)
    files = {"load", "split.melu", "meta_learning_recommendation"}
    assert refused <= files | {"evaluate", "export.onnx", "plot.adaptation", "plot.learning_curve"}


@pytest.mark.parametrize("path", [None, 3, b"x"])
def test_what_is_no_path_is_refused(path) -> None:
    for take in (mr.load, mr.Checkpoint):
        with pytest.raises(InvalidTypeError, match=r"path: expected a path"):
            take(path)


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_cannot_be_a_path_is_refused(path) -> None:
    for take in (mr.load, mr.Checkpoint):
        with pytest.raises(InvalidValueError, match=r"path: .* is no path"):
            take(path)


def test_what_is_split_is_a_data_set() -> None:
    for split in (mr.split.cold_start, mr.split.melu):
        with pytest.raises(InvalidTypeError, match="data: expected a Dataset, got dict"):
            split({})


@pytest.mark.parametrize("noise", [-1, "0.1", None, float("nan"), float("inf")])
def test_noise_is_a_number(noise) -> None:
    with pytest.raises(InvalidValueError, match="noise"):
        mr.datasets.synthetic(users=5, items=5, noise=noise)
