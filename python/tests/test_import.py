"""Importing metarec is quick and brings nothing but what it needs."""

import json
import os
import subprocess
import sys

import pytest

RUNTIME = {"metarec", "numpy", "narwhals", "tqdm", "safetensors"}


def run(program):
    environment = os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def modules_after(program):
    """Top-level modules that a program imports beyond those Python starts with."""
    return set(
        run(
            "import json, sys; before = set(sys.modules)\n"
            f"{program}\n"
            "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
            "print(json.dumps(sorted(names)))"
        )
    )


def test_nothing_is_imported_beyond_the_declared_dependencies():
    beyond = modules_after("import metarec") - set(sys.stdlib_module_names) - RUNTIME
    assert not {name for name in beyond if not name.startswith("_")} - {"cython_runtime"}
    names = "MeLU", "datasets", "plot", "errors", "evaluate", "load", "tune"
    everything = f"import metarec as mr; {', '.join(f'mr.{name}' for name in names)}"
    heavy = {"sklearn", "pandas", "polars", "pyarrow", "matplotlib", "scipy", "torch"}
    heavy |= {"IPython", "implicit", "optuna", "onnx", "onnxruntime", "tokenizers"}
    assert not modules_after(everything) & heavy


def test_training_needs_nothing_more():
    program = (
        "import metarec as mr\n"
        "data = mr.datasets.synthetic(users=40, items=30)\n"
        "model = mr.MeLU(epochs=1).fit(data)\n"
        "model.adapt([1], [5]).recommend()"
    )
    beyond = modules_after(program) - set(sys.stdlib_module_names) - RUNTIME
    assert not {name for name in beyond if not name.startswith("_")} - {"cython_runtime"}


def test_importing_costs_little_beside_numpy():
    # `make bench` says how long it takes; the number of modules is the same on every machine.
    slow = {"narwhals", "urllib.request", "ssl", "email", "safetensors.torch", "tqdm.auto"}
    program = (
        "import json, sys, numpy; before = set(sys.modules); import metarec\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    found = set(run(program))
    assert not found & slow
    assert len(found) < 200


def test_every_public_name_is_there_and_documented():
    import metarec as mr

    for name in dir(mr):
        assert hasattr(mr, name)
        if not name.startswith("__"):
            assert getattr(mr, name).__doc__, name
    with pytest.raises(AttributeError, match="nonsense"):
        _ = mr.nonsense
