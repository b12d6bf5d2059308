"""The picture shows the report's numbers."""

import sys

import numpy as np
import pytest
from scenarios import Constant, Same, small_splits

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


@pytest.fixture(scope="module")
def told():
    pytest.importorskip("matplotlib").use("Agg")
    models = {"skewed": Same([0.2, 0.15, 0.1, 0.15, 0.4]), "three": Constant()}
    return evaluate(models, small_splits(), draws=2, support_sizes=(0, 5), resamples=50)


class TestOthers:
    def test_calibration_is_the_table(self, told):
        ax = plot.calibration(told)
        (row,) = told.calibration().rows
        line = next(line for line in ax.get_lines() if line.get_label().startswith("skewed"))
        assert line.get_xydata().tolist() == [[row["confidence"], row["frequency"]]]
        assert plot.calibration(told, "warm", models=["skewed"], ax=ax) is ax
        with pytest.raises(InvalidValueError, match="three"):
            plot.calibration(told, models=["three"])

    def test_without_distributions(self, report):
        with pytest.raises(InvalidValueError, match="no model gives distributions"):
            plot.calibration(report)

    @pytest.mark.parametrize("by", ["activity", "popularity"])
    def test_groups(self, told, by):
        table = told.breakdown(by, scenario="warm")
        ax = plot.breakdown(told, by, scenario="warm")
        assert [text.get_text() for text in ax.get_xticklabels()] == table.groups
        handles, names = ax.get_legend_handles_labels()
        for handle, name in zip(handles, names, strict=True):
            values = [row["value"] for row in table.rows if row["model"] == name]
            np.testing.assert_array_equal(handle.lines[0].get_ydata(), values)

    def test_the_curve_of_mixed_decisions(self, told):
        ax = plot.support_curve(told, "mae")
        values = [told.interval("skewed", "new_user", "mae", support_size=s).value for s in (0, 5)]
        line = next(line for line in ax.get_lines() if line.get_label() == "skewed")
        np.testing.assert_array_equal(line.get_ydata(), values)
        assert "lower is better" in ax.get_ylabel()
