"""Options are chosen by validation alone, and what was tried is told."""

import builtins
import json

import numpy as np
import pytest

import metarec as mr
from metarec.errors import (
    InvalidTypeError,
    InvalidValueError,
    MissingDependencyError,
    NumericalError,
)
from metarec.parameters import Parametrised
from metarec.split import cold_start
from metarec.splits import Splits

SPACE = {"rank": [2, 4], "penalty": (1.0, 30.0, "log")}


@pytest.fixture(scope="module")
def splits():
    return cold_start(
        mr.datasets.synthetic(users=200, items=150, seed=0), min_ratings=4, query=3, seed=0
    )


@pytest.fixture(scope="module")
def tuning(splits):
    return mr.tune(mr.baselines.ALS(rank=4, threads=1), splits, SPACE, trials=5, draws=1)


class Shifted(Parametrised):
    """Predicts the training mean and a shift: its best options are known."""

    def __init__(self, shift=0.0, steps=1, part=None, fails=False):
        self.shift, self.steps, self.part, self.fails = shift, steps, part, fails

    def fit(self, dataset, validation=None):
        assert validation is None
        self.mean_ = float(dataset.rating.mean(dtype=np.float64))
        return self

    def predict(self, tasks):
        if self.fails:
            raise NumericalError("predictions are not finite")
        return np.full(tasks.query_rows, self.mean_ + self.shift)


class Part(Parametrised):
    def __init__(self, size=1):
        self.size = size


class Counted(Parametrised):
    """Ranks items by their ratings in training, or the other way round."""

    def __init__(self, sign=1):
        self.sign = sign

    def fit(self, dataset):
        self.counts = np.bincount(dataset.item, minlength=dataset.item_count).astype(float)
        return self

    def predict(self, tasks):
        return self.sign * self.counts[tasks.item_index[tasks.query()[0]]]


class Untouchable:
    """A test scenario that must not be read."""

    def __getattribute__(self, name):
        raise AssertionError(f"{name} of a test scenario was read")

    def __len__(self):
        raise AssertionError("a test scenario was counted")


def values(tuning):
    return [row["value"] for row in tuning.trials]


def test_test_scenarios_are_never_touched(splits, tuning):
    tests = {name: Untouchable() for name in splits}
    alone = Splits(splits.data, tests, None, splits.validation)
    again = mr.tune(mr.baselines.ALS(rank=4, threads=1), alone, SPACE, trials=5, draws=1)
    assert values(again) == values(tuning)


def test_test_ratings_change_nothing(splits, tuning):
    data = splits.data
    held_out = np.ones(len(data), bool)
    held_out[splits.train_and_validation.rows] = False
    assert held_out.sum() > 1000
    rating = data.rating.copy()
    rating[held_out] = 6 - rating[held_out]
    other = mr.Dataset.from_arrays(
        data.user, data.item, rating, users=data.users, items=data.items, timestamp=data.timestamp
    )
    # The same rows, for who is new does not follow from ratings.
    changed = cold_start(other, min_ratings=4, query=3, seed=0)
    assert np.array_equal(changed.train_and_validation.rows, splits.train_and_validation.rows)
    again = mr.tune(mr.baselines.ALS(rank=4, threads=1), changed, SPACE, trials=5, draws=1)
    assert values(again) == values(tuning)
    assert again.info["data"]["hash"] != tuning.info["data"]["hash"]


def test_the_same_seed_gives_the_same_trials(splits, tuning):
    model = mr.baselines.ALS(rank=4, threads=1)
    again = mr.tune(model, splits, SPACE, trials=5, draws=1)
    other = mr.tune(model, splits, SPACE, trials=5, draws=1, seed=1)

    def tried(found):
        return [(row["rank"], row["penalty"], row["value"]) for row in found.trials]

    assert tried(again) == tried(tuning)
    assert tried(other)[1:] != tried(tuning)[1:]
    assert again.options == tuning.options


def test_the_value_is_the_mean_difference_from_bias(splits, tuning):
    best = mr.baselines.ALS(**(tuning.best.get_params())).fit(splits.train)
    report = mr.evaluate(best, splits.validation, draws=1, metrics=["rmse"], resamples=10)
    differences = {
        row["scenario"]: row["difference"]
        for row in report.compare("ALS", "bias").rows
        if row["decision"] == row["decision_b"] == "mean" and row["support_size"] is None
    }
    assert tuning.value == pytest.approx(np.mean(list(differences.values())), abs=1e-12)
    row = min(tuning.trials, key=lambda row: row["value"])
    assert {name: row[name] for name in differences} == pytest.approx(differences, abs=1e-12)
    assert tuning.value == row["value"]
    assert tuning.options == {name: row[name] for name in SPACE}


def test_the_first_trial_has_the_models_own_options(splits):
    model = Shifted(shift=0.25, steps=3, part=Part(size=7))
    space = {"shift": (-1.0, 1.0), "steps": (1, 5), "part__size": [6, 7]}
    first = mr.tune(model, splits, space, trials=1, draws=1).trials[0]
    assert [first[name] for name in space] == [0.25, 3, 7]
    outside = mr.tune(model, splits, {"shift": (0.5, 1.0)}, trials=1, draws=1)
    assert 0.5 <= outside.options["shift"] <= 1.0


def test_it_finds_what_is_best_and_leaves_the_model_alone(splits):
    model = Shifted(shift=1.0, part=Part(size=1))
    found = mr.tune(model, splits, {"shift": (-1.0, 1.0), "part__size": (2, 3)}, trials=18, draws=1)
    validation = splits.validation
    errors = {
        shift: np.mean(
            [
                np.sqrt(np.mean((scenario.tasks(0).query_targets()[0] - mean - shift) ** 2))
                for scenario in validation.values()
                if len(scenario)
            ]
        )
        for mean in [float(validation.train.rating.mean(dtype=np.float64))]
        for shift in np.linspace(-1, 1, 201)
    }
    assert abs(found.options["shift"] - min(errors, key=errors.get)) < 0.15
    assert (model.shift, model.part.size) == (1.0, 1)
    assert found.best.part.size in (2, 3)
    assert not hasattr(found.best, "mean_")
    assert type(found.options["part__size"]) is int


def test_more_is_better_where_it_is(splits):
    found = mr.tune(Shifted(), splits, {"shift": (-3.0, 3.0)}, metric="accuracy", trials=6, draws=1)
    assert found.value == max(values(found)) > min(values(found))


def test_a_likelihood_is_taken_as_it_is(splits):
    space = {"samples": [2, 4]}
    model = mr.BayesianMF(rank=2, burn_in=3, threads=1)
    found = mr.tune(model, splits, space, metric="nll", scenarios=["warm"], trials=3, draws=1)
    best = mr.BayesianMF(**found.best.get_params()).fit(splits.train)
    options = {"draws": 1, "metrics": ["nll"], "resamples": 10, "support_sizes": ()}
    report = mr.evaluate(best, splits.validation, **options)
    assert found.value == report.interval("BayesianMF", "warm", "nll").value == min(values(found))
    assert "nll in validation" in repr(found)


def test_rankings_of_the_catalogue_are_compared_with_popularity():
    data = mr.datasets.synthetic(users=120, items=60, seed=0)
    clicks = mr.Dataset.from_arrays(data.user, data.item, np.ones(len(data)))
    splits = cold_start(clicks, new_items=0.0, min_ratings=12, max_ratings=None, seed=0)
    options = {"metric": "ndcg@10", "ranking": "catalogue", "trials": 2, "draws": 1}
    found = mr.tune(Counted(), splits, {"sign": [1, -1]}, **options)
    assert list(found.info["floor"]) == ["popularity"]
    assert found.trials[0]["value"] == pytest.approx(0, abs=1e-12)
    assert found.options == {"sign": 1}
    assert "ndcg@10 - popularity" in repr(found)


def test_options_of_parts(splits):
    model = mr.MetaLearner(epochs=1, seed=0)
    space = {"algorithm": [mr.MAML(), mr.ANIL()], "algorithm__inner_lr": (0.001, 0.1, "log")}
    found = mr.tune(model, splits, space, trials=2, draws=1)
    assert found.best.algorithm.inner_lr == found.options["algorithm__inner_lr"]
    assert model.algorithm == "maml"
    assert [choice.inner_lr for choice in space["algorithm"]] == [mr.MAML().inner_lr] * 2


def test_scenarios_are_chosen_and_weighted(splits):
    space = {"shift": [0.1]}
    run = dict.fromkeys(("trials", "draws"), 1)
    each = mr.tune(Shifted(), splits, space, **run).trials[0]
    assert list(splits.validation) == ["warm", "new_user", "new_item", "new_both"]
    one = mr.tune(Shifted(), splits, space, scenarios=["new_user"], **run)
    assert one.value == each["new_user"]
    weights = {"new_user": 3, "warm": 1}
    both = mr.tune(Shifted(), splits, space, scenarios=weights, **run)
    assert both.value == pytest.approx((3 * each["new_user"] + each["warm"]) / 4)


def test_failed_trials_are_told(splits):
    found = mr.tune(Shifted(), splits, {"fails": [False, True]}, trials=6, draws=1)
    states = [row["state"] for row in found.trials]
    assert states[0] == "complete"
    assert found.failed == states.count("failed") > 0
    failed = found.trials[states.index("failed")]
    assert (failed["value"], failed["error"]) == (None, "predictions are not finite")
    assert f"{found.failed} failed" in repr(found)
    assert found.options == {"fails": False}
    with pytest.raises(NumericalError, match=r"all 2 trials failed.*not finite"):
        mr.tune(Shifted(), splits, {"fails": [True]}, trials=2, draws=1)


def test_learning_rates_that_diverge_are_failures(splits):
    space = {"inner_lr": [1e-2, 1e12]}
    found = mr.tune(mr.MeLU(inner_lr=1e-2, epochs=1), splits, space, trials=4, draws=1)
    states = {row["inner_lr"]: row["state"] for row in found.trials}
    assert states == {1e-2: "complete", 1e12: "failed"}


def test_no_trial_begins_after_the_timeout(splits):
    found = mr.tune(Shifted(), splits, {"shift": (0.0, 1.0)}, timeout=1e-9, draws=1)
    assert len(found.trials) == 1


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow", "dict"])
def test_trials_as_a_frame(splits, backend):
    space = {"fails": [False, True], "shift": (0.0, 1.0), "steps": (1, 3)}
    found = mr.tune(Shifted(), splits, space, trials=6, draws=1)
    frame = found.to_frame(backend)
    names = {"dict": list, "pyarrow": lambda table: table.column_names}.get(
        backend, lambda table: list(table.columns)
    )(frame)
    assert names == [
        *("trial", "state", "value", "warm", "new_user", "new_item", "new_both", "seconds"),
        *("fails", "shift", "steps", "error"),
    ]
    assert list(map(int, frame["steps"].to_pylist() if backend == "pyarrow" else frame["steps"]))


def test_it_is_shown_and_saved(splits, tuning, tmp_path):
    shown = repr(tuning)
    assert "Tuning of ALS: rmse - bias in validation, 5 trials" in shown
    assert f"best: {tuning.best!r}" in shown
    assert f"{tuning.value:+.4f}" in shown
    part = mr.tune(Shifted(), splits, {"part": ["<b>", None]}, trials=2, draws=1)
    assert "<b>" not in part._repr_html_()
    tuning.save(tmp_path / "als.json")
    state = json.loads((tmp_path / "als.json").read_text())
    assert state["options"] == tuning.options
    assert state["value"] == tuning.value
    assert [row["value"] for row in state["trials"]] == values(tuning)
    assert state["data"]["hash"] == splits.data.fingerprint
    assert state["split"]["hash"] == splits.validation.fingerprint
    assert state["split"]["part"] == "validation"
    assert state["seeds"] == {"tune": 0, "model": 0}
    assert state["space"]["penalty"] == {"low": 1.0, "high": 30.0, "log": True}
    assert {"metarec", "optuna"} <= set(state["versions"])
    assert state["call"].startswith("mr.tune(ALS(rank=4, threads=1), splits, {'rank': [2, 4]")
    with pytest.raises(InvalidValueError, match=r"path.*\.json"):
        tuning.save(tmp_path / "als.csv")


def test_values_that_json_does_not_have_are_written_as_their_repr(splits, tmp_path):
    found = mr.tune(Shifted(), splits, {"part": [Part(size=2)]}, trials=1, draws=1)
    found.save(tmp_path / "part.json")
    state = json.loads((tmp_path / "part.json").read_text())
    assert state["options"] == {"part": "Part(size=2)"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {}}, "space: is empty"),
        ({"space": [1]}, "space: expected bounds"),
        ({"space": {"nonsense": (0, 1)}}, "space: Shifted: no option 'nonsense'"),
        ({"space": {"shift": (1, 0)}}, r"space\['shift'\]: expected low < high"),
        ({"space": {"shift": (0.0, 1.0, "log")}}, r"space\['shift'\].*above 0"),
        ({"space": {"shift": (0.0, np.inf)}}, r"space\['shift'\]: expected low < high"),
        ({"space": {"shift": (0.1, 1.0, "ln")}}, r"space\['shift'\]: expected 'log'"),
        ({"space": {"shift": ("a", "b")}}, r"space\['shift'\]: expected numbers"),
        ({"space": {"shift": 1.0}}, r"space\['shift'\]: expected \(low, high\)"),
        ({"space": {"shift": []}}, r"space\['shift'\]: is empty"),
        ({"trials": 0}, "trials: expected at least 1"),
        ({"draws": 0}, "draws: expected at least 1"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"timeout": 0}, "timeout: got 0"),
        ({"timeout": "1 h"}, "timeout: got '1 h'"),
        ({"ranking": "sample"}, "ranking: got 'sample'"),
        ({"metric": "nonsense"}, "'nonsense'"),
        ({"metric": "coverage90"}, "metric: got 'coverage90'"),
        ({"scenarios": ["old"]}, "scenarios: got 'old'"),
        ({"scenarios": []}, "scenarios: got none"),
        ({"scenarios": {"warm": 0}}, r"scenarios\['warm'\]: got 0"),
        ({"model": Shifted}, "model: expected an estimator.*the class Shifted"),
        ({"model": 3}, "model: expected an estimator.*int"),
        ({"splits": 3}, "splits: expected Splits"),
        ({"progress": "loud"}, "progress: expected"),
    ],
)
def test_arguments_are_checked(splits, change, message):
    given = {"model": Shifted(), "splits": splits, "space": {"shift": (0.0, 1.0)}} | change
    with pytest.raises((InvalidTypeError, InvalidValueError), match=message):
        mr.tune(**given)


def test_a_split_without_validation_is_refused(splits):
    bare = cold_start(splits.data, validation=0.0, seed=0)
    with pytest.raises(InvalidValueError, match="splits: has no validation"):
        mr.tune(Shifted(), bare, {"shift": (0.0, 1.0)})


def test_without_optuna_the_extra_is_named(splits, monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest, **options):
        if name.partition(".")[0] == "optuna":
            raise ImportError(name)
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError, match=r"metarec\[tune\]"):
        mr.tune(Shifted(), splits, {"shift": (0.0, 1.0)})


def test_a_bar_shows_the_best(splits, capsys):
    mr.tune(Shifted(), splits, {"shift": (0.0, 1.0)}, trials=2, draws=1, progress=True)
    assert "tune Shifted: 100%" in (told := capsys.readouterr().err)
    assert "best=" in told
    mr.tune(Shifted(), splits, {"shift": (0.0, 1.0)}, trials=2, draws=1, progress=False)
    assert capsys.readouterr().err == ""
