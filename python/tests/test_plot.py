"""The picture shows the report's numbers."""

import sys

import numpy as np
import pytest
from scenarios import Constant, Same, small_splits

from metarec import MeLU, MetaLearner, datasets, plot, split
from metarec.dataset import Dataset
from metarec.errors import InvalidTypeError, InvalidValueError, MissingDependencyError
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


@pytest.fixture(scope="module")
def fitted():
    pytest.importorskip("matplotlib").use("Agg")
    splits = split.cold_start(datasets.synthetic(users=120, items=60, seed=0), seed=0)
    options = {"epochs": 3, "hidden": (4,), "embedding_dim": 2}
    one = MeLU(**options, seed=0).fit(splits.train, splits.validation)
    return one, MeLU(**options, seed=1).fit(splits.train)


class TestLearning:
    def test_the_history_and_its_best(self, fitted):
        model, _ = fitted
        line, ring = plot.learning_curve(model).get_lines()
        scores = [row["validation"] for row in model.history_]
        assert line.get_xydata().tolist() == [[1, scores[0]], [2, scores[1]], [3, scores[2]]]
        assert ring.get_xydata().tolist() == [[1 + int(np.argmin(scores)), min(scores)]]

    def test_several(self, fitted):
        # Only one was validated: what both have is the loss.
        ax = plot.learning_curve(fitted)
        assert ax.get_legend_handles_labels()[1] == ["MeLU 1", "MeLU 2"]
        losses = [row["loss"] for row in fitted[1].history_]
        assert ax.get_lines()[-1].get_ydata().tolist() == losses
        assert ax.get_ylabel() == "training loss"
        assert plot.learning_curve({"a": fitted[0]}, "loss", ax=ax) is ax

    def test_refused(self, fitted):
        with pytest.raises(InvalidValueError, match="'validation' in the history of MeLU 2"):
            plot.learning_curve(fitted, "validation")
        with pytest.raises(InvalidTypeError, match="MeLU has no history_"):
            plot.learning_curve(MeLU())
        with pytest.raises(InvalidValueError, match="at least one"):
            plot.learning_curve([])


@pytest.fixture(scope="module")
def data():
    pytest.importorskip("matplotlib").use("Agg")
    return datasets.synthetic(users=120, items=60, seed=0)


@pytest.fixture(scope="module")
def ann(data):
    model = MeLU(epochs=2, hidden=(4,), embedding_dim=2, seed=0).fit(data)
    return model.adapt([7, 30, 2], [5, 1, 4], {"age": 25})


class TestUser:
    def test_before_after_and_given(self, ann):
        ax = plot.adaptation(ann, k=4)
        shown = [7, 30, 2, *ann.recommend(k=4).items.tolist()]
        assert [text.get_text() for text in ax.get_yticklabels()] == list(map(str, shown))
        _, before, after, given = ax.collections
        # Before: the same user, of whom the age is known but no rating.
        prior = ann._model.adapt(user={"age": 25}).predict(shown)
        np.testing.assert_allclose(before.get_offsets()[:, 0], prior)
        np.testing.assert_allclose(after.get_offsets()[:, 0], ann.predict(shown))
        np.testing.assert_array_equal(given.get_offsets(), [[5, 0], [1, 1], [4, 2]])
        assert ax.yaxis_inverted()

    def test_items_and_titles_of_choice(self, ann, data):
        titles = data.item_columns["title"]
        ax = plot.adaptation(ann, [2, 9], titles=titles)
        assert [text.get_text() for text in ax.get_yticklabels()] == ["Item 2", "Item 9"]
        assert plot.adaptation(ann, [2, 9], titles={2: "Up"}, ax=ax) is ax
        assert [text.get_text() for text in ax.get_yticklabels()] == ["Up", "9"]
        with pytest.raises(InvalidTypeError, match="expected AdaptedUser, got str"):
            plot.adaptation("ann")

    def test_no_rating_changes_nothing(self, ann):
        ax = plot.adaptation(ann.prior(), [3, 4])
        before, after = ax.collections[1:]
        np.testing.assert_array_equal(before.get_offsets(), after.get_offsets())


class TestItemMap:
    def test_the_plane_of_most_variance(self):
        pytest.importorskip("matplotlib").use("Agg")
        # A plane in five dimensions, turned and moved: the map has its points, up to signs.
        random = np.random.default_rng(0)
        plane = random.normal(size=(40, 2)) * [5, 1]
        plane -= plane.mean(0)
        left, size, _ = np.linalg.svd(plane, full_matrices=False)
        turn = np.linalg.qr(random.normal(size=(5, 5)))[0][:2]
        ax = plot.item_map(plane @ turn + random.normal(size=5), label=[3, 39])
        drawn = np.asarray(ax.collections[0].get_offsets())
        np.testing.assert_allclose(np.abs(drawn), np.abs(left * size), atol=1e-9)
        assert [(text.get_text(), text.xy) for text in ax.texts] == [
            ("3", pytest.approx(drawn[3])),
            ("39", pytest.approx(drawn[39])),
        ]
        share = 100 * size[0] ** 2 / (size**2).sum()
        assert f"{share:.0f} % of the variance" in ax.get_xlabel()

    def test_labels_are_far_apart(self):
        pytest.importorskip("matplotlib").use("Agg")
        corners = np.array([[0, 0], [0.1, 0], [4, 4], [4, 4.1], [4, -4], [-4, 4], [-4, -4.2]])
        ax = plot.item_map(corners, label=5, titles=list("abcdefg"))
        labels = {text.get_text() for text in ax.texts}
        assert len(labels & {"a", "b"}) == len(labels & {"c", "d"}) == 1
        assert labels >= {"e", "f", "g"}

    def test_a_models_items(self):
        pytest.importorskip("matplotlib").use("Agg")
        genre = ["war", "war", "love", "love", None]
        items = {"item": list("abcde"), "genre": genre, "tags": ["x|y", "", "y", "x", "z"]}
        data = Dataset.from_frames(
            {"user": [1, 1, 2, 2, 2], "item": list("abcde"), "rating": [5, 4, 3, 2, 1]}, None, items
        )
        model = MetaLearner(epochs=0).initialize(data)
        tables = model.parameters()
        w, t = tables["embedding.genre"], tables["embedding.tags"]
        nothing = np.zeros(w.shape[1])
        by_hand = np.array(
            [
                np.r_[w[0], (t[0] + t[1]) / 2],
                np.r_[w[0], nothing],
                np.r_[w[1], t[1]],
                np.r_[w[1], t[0]],
                np.r_[nothing, t[2]],
            ]
        )
        drawn = plot.item_map(model, label=["c"], color=genre)
        expected = plot.item_map(by_hand, label=0)
        found = np.concatenate([np.asarray(part.get_offsets()) for part in drawn.collections])
        order = [4, 2, 3, 0, 1]  # by genre: None, love, war
        wanted = np.asarray(expected.collections[0].get_offsets())[order]
        ends = {tuple(np.round(place, 5)) for place in found}
        assert ends == {tuple(np.round(place, 5)) for place in wanted}
        assert [text.get_text() for text in drawn.texts] == ["c"]

    def test_refused(self):
        with pytest.raises(InvalidValueError, match="titles: expected one for each of 3"):
            plot.item_map(np.eye(3), titles=["a"])
        with pytest.raises(InvalidTypeError, match="embeddings or an array, got str"):
            plot.item_map("model")
        with pytest.raises(InvalidValueError, match="label: expected items"):
            plot.item_map(np.eye(3), label=[3])


def test_everything_public_is_listed_and_draws_into_ax():
    import inspect

    assert sorted(plot.__all__) == plot.__all__
    for name in plot.__all__:
        assert "ax" in inspect.signature(getattr(plot, name)).parameters
