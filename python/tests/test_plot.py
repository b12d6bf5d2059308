"""The picture shows the report's numbers."""

import sys

import numpy as np
import pytest

from metarec import plot, split
from metarec.dataset import Dataset
from metarec.errors import InvalidValueError, MissingDependencyError
from metarec.evaluation import Bias, evaluate


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(1)
    user = np.repeat(np.arange(40), 40)
    item = np.concatenate([rng.choice(60, 40, replace=False) for _ in range(40)])
    data = Dataset.from_arrays(user, item, rng.integers(1, 6, len(user)))
    splits = split.cold_start(data, seed=0)
    model = Bias(1, 1).fit(splits.train)
    return evaluate(model, splits, draws=2, support_sizes=(0, 1, 4), resamples=50)


def test_lines_are_the_values(report):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    ax = plot.support_curve(report, "rmse", "new_user", decision="mean")
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert set(lines) == {"Bias", *report.floors}
    for name, line in lines.items():
        np.testing.assert_array_equal(line.get_xdata(), [0, 1, 4])
        expected = [
            report.interval(name, "new_user", "rmse", support_size=size).value for size in (0, 1, 4)
        ]
        np.testing.assert_array_equal(line.get_ydata(), expected)
    (band,) = ax.collections
    low = report.interval("Bias", "new_user", "rmse", support_size=1).low
    assert low in band.get_paths()[0].vertices[:, 1]
    same = plot.support_curve(report, ax=ax)
    assert same is ax


def test_what_was_not_measured(report):
    with pytest.raises(InvalidValueError, match="'mape'"):
        plot.support_curve(report, "mape")
    with pytest.raises(InvalidValueError, match="'cold'"):
        plot.support_curve(report, scenario="cold")


def test_without_matplotlib(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependencyError, match=r"metarec\[plot\]"):
        plot.support_curve(report)
