"""The examples in the documentation run."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import metarec as mr

MODULES = [
    info.name
    for info in pkgutil.walk_packages(mr.__path__, "metarec.")
    if info.name != "metarec._metarec"
]


@pytest.mark.parametrize("name", ["metarec", *MODULES])
def test_examples_run(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, extraglobs={"mr": mr, "np": np})
    assert failed == 0
