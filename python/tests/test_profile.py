"""The profile of a plan, and plans without a rewrite."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from learners import random_tasks, small_learner

import metarec as mr
from metarec.profile import Profile


def test_costs_of_one_text_are_summed_and_the_dearest_comes_first():
    profile = Profile([("chain", 0.0, 1e-6), ("gemm", 500.0, 2e-6), ("gemm", 500.0, 1e-6)])
    assert [(c.instruction, c.calls) for c in profile] == [("gemm", 2), ("chain", 1)]
    assert profile[0].multiply_adds == profile.multiply_adds == 1000
    assert [c.share for c in profile] == pytest.approx([0.75, 0.25])
    assert profile.microseconds == pytest.approx(4)
    assert repr(profile).splitlines() == [
        "  µs   share  calls  GFLOP/s  instruction",
        "3.00   75.0%      2        1  gemm",
        "1.00   25.0%      1           chain",
        "4.00  100.0%      3        0  all",
    ]
    assert "<td>gemm</td>" in profile._repr_html_()


def test_no_instructions_are_an_empty_profile():
    assert Profile([]) == [] and Profile([]).microseconds == 0 and repr(Profile([]))


def test_multiply_adds_are_those_of_the_network():
    """Joint training of a linear head on 3 dense columns: forward and gradient, 3 a row each."""
    tasks = random_tasks(0, 4, item_fields=("", "", "text"), user_fields=None)
    model = small_learner(algorithm=mr.JointTraining(), backbone=mr.FeatureMLP(hidden=()))
    before = {name: value.copy() for name, value in model.initialize(tasks).parameters().items()}
    profile = model.profile(tasks)
    rows = (tasks.native.support_rows + tasks.native.query_rows) / 4
    assert profile.multiply_adds == pytest.approx(2 * 3 * rows)
    assert profile.microseconds > 0
    for name, value in model.parameters().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_profile_needs_parameters_and_tasks():
    with pytest.raises(mr.errors.NotFittedError):
        small_learner().profile(random_tasks())
    with pytest.raises(mr.errors.InvalidTypeError, match="tasks"):
        small_learner().initialize(random_tasks()).profile([1])  # type: ignore[arg-type]
    none = random_tasks().take(np.array([], np.int64))
    with pytest.raises(mr.errors.InvalidValueError, match="tasks: empty"):
        small_learner().initialize(random_tasks()).profile(none)


PROGRAM = """
import sys; sys.path.insert(0, sys.argv[1])
from learners import random_tasks, small_learner
tasks = random_tasks(0, 4)
model = small_learner().initialize(tasks)
print(len(model._native.profile(tasks.native)), model.meta_gradient(tasks)[0])
"""


def run(left_out):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, os.path.dirname(__file__)],
        capture_output=True,
        text=True,
        env=os.environ
        | {"METAREC_WITHOUT": left_out, "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )


def test_a_rewrite_can_be_left_out_by_the_environment():
    (few, loss), (many, same) = (run(names).stdout.split() for names in ("", "chains,epilogues"))
    assert int(many) > int(few) and float(loss) == pytest.approx(float(same), rel=1e-9)


def test_an_unknown_rewrite_is_an_error_that_names_those_there_are():
    error = run("gram,magic").stderr.splitlines()[-1]
    assert error.startswith("metarec.errors.InvalidValueError: METAREC_WITHOUT: 'magic'")
    assert "factoring" in error


def test_the_docs_and_the_benchmarks_know_every_rewrite():
    root = Path(__file__).parents[2]
    known = run("magic").stderr.strip().rpartition("the rewrites ")[2].split(", ")
    engine = (root / "docs/engine.md").read_text(encoding="utf-8").partition("### Without")[2]
    assert re.findall(r"^\| `([a-z-]+)` \|", engine, re.MULTILINE) == known
    benchmark = (root / "python/benchmarks/rewrites.py").read_text(encoding="utf-8")
    assert re.findall(r'^    "([a-z-]+)",$', benchmark, re.MULTILINE) == known
