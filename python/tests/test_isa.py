"""Every instruction set trains, and AVX2 and AVX-512 to the same bits."""

import json
import os
import re
import subprocess
import sys

import pytest

from metarec import _metarec

PROGRAM = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from learners import random_tasks, small_learner
from metarec import _metarec
tasks = random_tasks(0, 20, dtype=sys.argv[2])
model = small_learner(dtype=sys.argv[2], epochs=2).fit(tasks, progress=False)
predictions = model.predict(tasks)
bits = hashlib.sha256(predictions.tobytes()).hexdigest()
print(json.dumps([_metarec.isa(), bits, predictions.tolist()]))
"""


def trained(isa, dtype):
    environment = {"METAREC_ISA": isa, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, os.path.dirname(__file__), dtype],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_instruction_set_trains_and_the_wide_ones_to_the_same_bits(dtype):
    found = {isa: trained(isa, dtype) for isa in ("baseline", "avx2", "avx512")}
    # What this processor lacks falls back to the best it has.
    here = {isa: values for isa, values in found.items() if values[0] == isa}
    assert "baseline" in here
    tolerance = 1e-3 if dtype == "float32" else 1e-10
    for isa, (_, _, predictions) in here.items():
        assert predictions == pytest.approx(here["baseline"][2], rel=tolerance, abs=tolerance), isa
    if "avx2" in here and "avx512" in here:
        assert here["avx2"][1] == here["avx512"][1]


def test_another_name_is_warned_of():
    found = [
        subprocess.run(
            [sys.executable, "-W", "always", "-c", "import metarec"],
            capture_output=True,
            text=True,
            env=os.environ | {"METAREC_ISA": isa, "PYTHONPATH": ":".join(filter(None, sys.path))},
            check=True,
        ).stderr
        for isa in ("avx9000", "baseline", "")
    ]
    assert re.search(r"METAREC_ISA: .*, got 'avx9000'; \w+ is in use", found[0])
    assert "METAREC_ISA" not in found[1] + found[2]


def test_the_best_instruction_set_is_in_use_unless_one_is_forced():
    forced = os.environ.get("METAREC_ISA")
    assert _metarec.isa() == forced if forced else _metarec.isa() in ("baseline", "avx2", "avx512")
