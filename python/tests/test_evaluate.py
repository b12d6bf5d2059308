"""The report: known answers, shape, pairing, and what is refused."""

import json
from copy import copy

import numpy as np
import pytest
from scenarios import Answers, Constant, small_data

from metarec import split
from metarec.errors import InvalidTypeError, InvalidValueError, NumericalError
from metarec.evaluation import GlobalMean, evaluate
from metarec.splits import Splits

COLUMNS = [
    *("model", "scenario", "metric", "decision", "support_size", "by", "group"),
    *("seed", "draw", "value", "low", "high", "tasks"),
]


class Oracle:
    """Knows the query from elsewhere."""

    def __init__(self, data):
        self.answers = Answers(data)

    def predict(self, tasks):
        return self.answers.of(tasks)


class SupportSize:
    """Predicts how many support rows it was shown, to show that it was."""

    def predict(self, tasks):
        support, query = tasks.support()[1], tasks.query()[1]
        return np.repeat(np.diff(support), np.diff(query)).astype(float)


@pytest.fixture(scope="module")
def data():
    return small_data(users=80, items=120)


@pytest.fixture(scope="module")
def splits(data):
    return split.cold_start(data, new_users=0.3, new_items=0.3, query=10, seed=0)


@pytest.fixture(scope="module")
def report(splits):
    return evaluate(
        [Oracle(splits.data), Constant()], splits, draws=3, resamples=200, support_sizes=(0, 2, 5)
    )


def test_the_oracle_makes_no_error(report):
    for scenario in report.scenarios:
        for metric, value in (("mae", 0), ("rmse", 0), ("accuracy", 1), ("ndcg@3", 1), ("auc", 1)):
            interval = report.interval("Oracle", scenario, metric)
            ends = interval.value, interval.low, interval.high
            assert ends == pytest.approx((value, value, value), abs=1e-12)


def test_a_constant_has_the_spread_of_the_targets(report, splits):
    errors = []
    for draw in range(3):
        targets, _ = splits["new_user"].tasks(draw).query_targets()
        errors.append(np.sqrt(np.mean((targets - 3.0) ** 2)))
    interval = report.interval("Constant", "new_user", "rmse")
    assert interval.value == pytest.approx(np.mean(errors))
    assert interval.low < interval.value < interval.high
    assert interval.tasks == len(splits["new_user"])
    assert report.interval("Constant", "new_user", "auc").value == 0.5


def test_intervals_keep_a_users_draws_together(splits):
    """Equal draws add nothing: five copies of one draw have the interval of one."""

    scenario = copy(splits["new_user"])
    scenario.tasks = lambda draw, **options: splits["new_user"].tasks(0, **options)
    copies = Splits(splits.data, {"new_user": scenario}, splits.train_and_validation.rows)
    options = {"scenarios": ["new_user"], "support_sizes": (), "floors": False, "resamples": 100}
    many = evaluate(Constant(), copies, draws=5, **options)
    one = evaluate(Constant(), splits, draws=1, **options)
    for metric in ("mae", "rmse", "recall@3"):
        a, b = (r.interval("Constant", "new_user", metric) for r in (many, one))
        np.testing.assert_allclose([*vars(a).values()], [*vars(b).values()], rtol=1e-12)


def test_what_are_no_splits_is_refused(data):
    with pytest.raises(InvalidTypeError, match=r"splits: expected Splits, .*got Dataset"):
        evaluate(Constant(), data)


def test_frame_has_the_columns_of_the_protocol(report):
    frame = report.to_frame("pandas")
    assert list(frame.columns) == COLUMNS
    key = ["model", "scenario", "metric", "decision", "support_size", "by", "group", "draw"]
    assert not frame.duplicated(key).any()
    assert {*frame.model} == {
        *("Oracle", "Constant", "global_mean", "user_mean", "user_median", "bias")
    }
    for _, rows in frame.groupby(key[:-1], dropna=False):
        drawn, mean = rows[rows.draw.notna()], rows[rows.draw.isna()]
        assert list(drawn.draw) == [0, 1, 2] and len(mean) == 1
        assert mean.value.item() == pytest.approx(drawn.value.mean(), nan_ok=True)


@pytest.mark.parametrize("backend", ["polars", "pyarrow", "dict"])
def test_frames_of_every_kind_agree(report, backend):
    if backend != "dict":
        pytest.importorskip(backend)
    frame, expected = report.to_frame(backend), report.to_frame("pandas")
    values = frame["value"] if backend == "dict" else frame["value"].to_numpy()
    np.testing.assert_array_equal(values, expected.value)
    sizes = (
        frame["support_size"]
        if backend == "dict"
        else frame["support_size"].to_pylist()
        if backend == "pyarrow"
        else frame["support_size"].to_list()
    )
    assert None in sizes and 0 in sizes


def test_same_seed_same_report(report, splits):
    again = evaluate(
        [Oracle(splits.data), Constant()], splits, draws=3, resamples=200, support_sizes=(0, 2, 5)
    )
    assert again.to_frame("dict") == report.to_frame("dict")


def test_the_curve_is_over_the_same_users_and_cuts_the_support(splits):
    sizes = (0, 2, 4)
    report = evaluate(
        SupportSize(), splits, draws=2, support_sizes=sizes, metrics=["mae"], resamples=50
    )
    eligible = splits["new_user"].eligible(4)
    assert 0 < len(eligible) <= len(splits["new_user"])
    targets = [splits["new_user"].tasks(d).take(eligible).query_targets()[0] for d in range(2)]
    for size in sizes:
        interval = report.interval("SupportSize", "new_user", "mae", support_size=size)
        expected = np.mean([np.abs(y - np.clip(size, 1, 5)).mean() for y in targets])
        assert interval.tasks == len(eligible)
        assert interval.value == pytest.approx(expected)


def test_history_reaches_new_item_alone(splits):
    class Longest(SupportSize):
        seen: dict

        def predict(self, tasks):
            self.longest = max(getattr(self, "longest", 0), tasks.support_rows)
            return np.full(tasks.query_rows, 3.0)

    options = {"draws": 1, "support_sizes": (), "floors": False, "resamples": 10}
    for scenario, grows in (("new_item", True), ("new_user", False)):
        without, with_history = Longest(), Longest()
        evaluate(without, splits, scenarios=[scenario], **options)
        evaluate(with_history, splits, scenarios=[scenario], history=20, **options)
        assert (with_history.longest > without.longest) == grows


def test_order_by_time_has_one_draw(data):
    splits = split.cold_start(data, order="time", seed=0)
    report = evaluate(Constant(), splits, support_sizes=(), resamples=10)
    assert {*report.to_frame("dict")["draw"]} == {0, None}
    assert "1 draw" in repr(report)


def test_comparison_is_paired(report, splits):
    same = report.compare("bias", "bias", metrics=["mae"])
    assert all(row["difference"] == row["low"] == row["high"] == 0 for row in same.rows)
    rows = report.compare("bias", "global_mean", metrics=["mae"], scenarios=["new_user"]).rows
    by_decision = {row["decision"]: row for row in rows}
    difference = by_decision["mean"]
    a, b = (report.interval(name, "new_user", "mae") for name in ("bias", "global_mean"))
    assert difference["difference"] == pytest.approx(a.value - b.value)
    assert difference["high"] - difference["low"] < (a.high - a.low) + (b.high - b.low)
    assert difference["low"] < difference["difference"] < difference["high"] < 0
    assert difference["better"] == "bias"
    other = report.compare("global_mean", "bias", metrics=["mae"], scenarios=["new_user"]).rows
    assert other[0]["difference"] == pytest.approx(-rows[0]["difference"])
    assert other[0]["better"] == "bias"


def test_more_is_better_for_rankings(report):
    (row,) = report.compare("Constant", "Oracle", metrics=["ndcg@3"], scenarios=["new_user"]).rows
    assert row["high"] < 0 and row["better"] == "Oracle"


def test_comparison_by_support_size(report):
    rows = report.compare("bias", "user_mean", metrics=["mae"], by_support_size=True).rows
    assert {row["support_size"] for row in rows} == {None, 0, 2, 5}
    frame = report.compare("bias", "user_mean", metrics=["mae"]).to_frame("pandas")
    assert {*frame.scenario} == {*report.scenarios} and frame.support_size.isna().all()


def test_repr_shows_models_beside_floors_before_and_after(report, capsys):
    text = repr(report)
    assert capsys.readouterr().out == ""
    for word in (*report.models, *report.floors, *report.scenarios, "ndcg@3", "before adaptation"):
        assert word in text
    assert "paired difference from bias" in text
    html = report._repr_html_()
    assert html.count("<table>") == text.count("tasks, whole") + text.count("paired") + text.count(
        "0 = before"
    )


def test_markdown_and_json(report, tmp_path):
    report.save(tmp_path / "report.md")
    assert "| bias |" in (tmp_path / "report.md").read_text(encoding="utf-8")
    report.save(tmp_path / "report.json")
    values = json.loads((tmp_path / "report.json").read_text())["values"]
    assert list(values) == COLUMNS and len(values["draw"]) == len(report.to_frame("dict")["value"])
    with pytest.raises(InvalidValueError, match=r"\.md, \.html or \.json"):
        report.save(tmp_path / "report.txt")


def test_models_have_their_class_or_the_given_name(splits):
    options = {"scenarios": "new_user", "draws": 1, "support_sizes": (), "metrics": ["mae"]}
    options |= {"floors": False, "resamples": 10}
    assert evaluate([Constant(), Constant(2)], splits, **options).models == [
        "Constant",
        "Constant 2",
    ]
    assert evaluate({"low": Constant(1)}, splits, **options).models == ["low"]


def test_floors_learn_from_the_whole_training_part_or_what_is_given(splits, data):
    options = {"scenarios": "new_user", "draws": 1, "support_sizes": (), "metrics": ["mae"]}
    whole = evaluate(
        {"same": GlobalMean().fit(splits.train_and_validation)}, splits, resamples=10, **options
    )
    row = whole.compare("same", "global_mean").rows[0]
    assert row["difference"] == 0
    training = splits.train_and_validation
    fives = data.view(training.rows[training.rating == 5])
    other = evaluate(Constant(), splits, floors=fives, resamples=10, **options)
    five = evaluate({"five": Constant(5)}, splits, floors=False, resamples=10, **options)
    assert other.interval("global_mean", "new_user", "mae") == five.interval(
        "five", "new_user", "mae"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": 0}, "draws"),
        ({"resamples": 0}, "resamples"),
        ({"support_sizes": (-1,)}, "support_sizes"),
        ({"scenarios": ["cold"]}, "scenarios.*'cold'"),
        ({"metrics": ["maee"]}, "metrics.*'maee'"),
        ({"relevant": np.nan}, "relevant"),
    ],
)
def test_refuses_arguments(splits, options, words):
    with pytest.raises(InvalidValueError, match=words):
        evaluate(Constant(), splits, **options)


def test_refuses_models_that_do_not_predict(splits):
    with pytest.raises(InvalidTypeError, match=r"int has no predict"):
        evaluate(3, splits)
    with pytest.raises(InvalidValueError, match="bias"):
        evaluate({"bias": Constant()}, splits)
    with pytest.raises(NumericalError, match="Constant on warm"):
        evaluate(Constant(np.nan), splits)

    class Short:
        def predict(self, tasks):
            return np.zeros(3)

    with pytest.raises(InvalidValueError, match=r"Short on warm.*\(3,\)"):
        evaluate(Short(), splits)


def test_report_names_what_it_has(report):
    with pytest.raises(InvalidValueError, match=r"new_user"):
        report.interval("Oracle", "cold", "mae")
    with pytest.raises(InvalidValueError, match=r"b: got 'nobody'.*Oracle"):
        report.compare("Oracle", "nobody")


def test_floors_alone(splits):
    report = evaluate([], splits, draws=1, support_sizes=(), metrics=["mae"], resamples=10)
    assert report.models == [] and "bias" in repr(report) and "paired" not in repr(report)
