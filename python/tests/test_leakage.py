"""Whoever was trained on what is tested is found out, however it came about."""

import numpy as np
import pytest
from scenarios import Answers, Constant, small_data

import metarec as mr
from metarec import split
from metarec.dataset import Dataset
from metarec.errors import LeakageError
from metarec.evaluation import evaluate
from metarec.provenance import Provenance

OPTIONS = {"draws": 1, "support_sizes": (), "resamples": 10, "metrics": ["mae"], "floors": False}


@pytest.fixture(scope="module")
def data():
    return small_data()


@pytest.fixture(scope="module")
def splits(data):
    return split.cold_start(data, new_users=0.3, new_items=0.3, seed=0)


class Trained(Constant):
    def __init__(self, ratings):
        super().__init__()
        self.trained_on_ = Provenance.of(ratings)


def train_with(splits, more):
    """The training part and some more rows."""
    return splits.data.view(np.concatenate([splits.train_and_validation.rows, np.atleast_1d(more)]))


def test_the_training_part_is_clean(splits):
    for part in (splits.train, splits.train_and_validation):
        report = evaluate(Trained(part), splits, **OPTIONS)
        assert report.unchecked == [] and "Not checked" not in repr(report)
    evaluate(Trained(splits.train), splits.validation, **OPTIONS)


@pytest.mark.parametrize("scenario", ["warm", "new_user", "new_item", "new_both"])
def test_a_single_query_row_is_found(splits, scenario):
    rows, counts, _ = splits[scenario].rows(0)
    last = rows[np.cumsum(counts)[3] - 1]
    with pytest.raises(
        LeakageError, match=rf"Trained was trained on what '{scenario}' tests: 1 of"
    ):
        evaluate(Trained(train_with(splits, last)), splits, scenarios=[scenario], **OPTIONS)


@pytest.mark.parametrize("scenario", ["new_user", "new_item", "new_both"])
def test_a_support_row_is_no_training_row(splits, scenario):
    first = splits[scenario].rows(0)[0][0]
    with pytest.raises(LeakageError, match="1 of its"):
        evaluate(Trained(train_with(splits, first)), splits, scenarios=[scenario], **OPTIONS)


def test_a_warm_support_is_of_training(splits):
    first = splits.warm.rows(0)[0][0]
    evaluate(Trained(train_with(splits, first)), splits, scenarios=["warm"], **OPTIONS)


def test_other_ratings_by_a_new_user_are_found(splits, data):
    """Not a row that the scenario tests: a rating of a new item by a user of `new_user`."""
    user = splits.new_user.users[0]
    mine = np.flatnonzero(data.user == user)
    other = np.setdiff1d(mine, splits.new_user.all_rows)[0]
    with pytest.raises(LeakageError, match=rf"1 ratings by its new users.* user {user}\b"):
        evaluate(Trained(train_with(splits, other)), splits, scenarios=["new_user"], **OPTIONS)


def test_other_ratings_of_a_new_item_are_found(splits, data):
    item = data.item[splits.new_item.all_rows[0]]
    other = np.setdiff1d(np.flatnonzero(data.item == item), splits.new_item.all_rows)[0]
    with pytest.raises(LeakageError, match=rf"1 ratings of its new items.* item {item}\b"):
        evaluate(Trained(train_with(splits, other)), splits, scenarios=["new_item"], **OPTIONS)


def test_all_of_the_data_is_too_much(splits, data):
    with pytest.raises(LeakageError, match="Trained"):
        evaluate(Trained(data), splits, **OPTIONS)


def test_the_test_tasks_are_too(splits):
    for tasks in (splits.new_user.tasks(3), splits.new_user.tasks(0).take([2])):
        with pytest.raises(LeakageError, match="new_user"):
            evaluate(Trained(tasks), splits, **OPTIONS)


def test_training_on_validation_shows_on_validation_alone(splits):
    model = Trained(splits.train_and_validation)
    evaluate(model, splits, **OPTIONS)
    with pytest.raises(LeakageError, match="Trained"):
        evaluate(model, splits.validation, **OPTIONS)


def copy_of(data, rows):
    """The same ratings read again, in another order, with codes of their own."""
    rows = np.random.default_rng(0).permutation(rows)
    names = data.user_ids(data.user[rows]), data.item_ids(data.item[rows])
    return Dataset.from_arrays(*names, data.rating[rows])


def test_data_that_was_read_again_is_compared_by_ids(splits):
    rows = splits.train_and_validation.rows
    report = evaluate(Trained(copy_of(splits.data, rows)), splits, **OPTIONS)
    assert report.unchecked == []
    more = np.append(rows, splits.new_user.all_rows[5])
    with pytest.raises(LeakageError, match=r"'new_user' tests: 1 of"):
        evaluate(Trained(copy_of(splits.data, more)), splits, scenarios=["new_user"], **OPTIONS)


def test_ids_of_other_data_say_nothing(splits):
    """Users 0, 1, 2 ... of another data set are other people."""
    report = evaluate(Trained(small_data(seed=9)), splits, **OPTIONS)
    assert report.unchecked == ["Trained"]
    assert "Not checked for leaks" in repr(report) and "Trained" in repr(report).splitlines()[-1]


def test_models_that_do_not_say_are_named(splits):
    report = evaluate({"<mine>": Constant()}, splits, **OPTIONS)
    assert report.unchecked == ["<mine>"] and repr(report).endswith("is not known: <mine>.")
    assert "&lt;mine&gt;" in report._repr_html_().rpartition("<p>")[2]


def test_floors_are_checked(splits, data):
    options = OPTIONS | {"floors": data}
    with pytest.raises(LeakageError, match="global_mean was trained"):
        evaluate([], splits, **options)


def test_every_copy_is_checked(splits, data):
    with pytest.raises(LeakageError, match="many"):
        evaluate({"many": [Trained(splits.train), Trained(data)]}, splits, **OPTIONS)


class TestLearners:
    """The real ones know what they were trained on, also from files."""

    def model(self):
        return mr.FineTune(embedding_dim=2, hidden=(4,), epochs=1)

    def test_fit_on_the_wrong_part(self, splits, data):
        with pytest.raises(LeakageError, match="FineTune"):
            evaluate(self.model().fit(data, progress=False), splits, **OPTIONS)
        report = evaluate(self.model().fit(splits.train, progress=False), splits, **OPTIONS)
        assert report.unchecked == []

    def test_one_step_on_test_tasks(self, splits):
        model = self.model().fit(splits.train, progress=False)
        model.partial_fit(splits.train.tasks(min_ratings=2).take([0, 1]))
        evaluate(model, splits, **OPTIONS)
        model.partial_fit(splits.new_both.tasks(0).take([0]))
        with pytest.raises(LeakageError, match="FineTune"):
            evaluate(model, splits, **OPTIONS)

    def test_steps_on_tasks_of_unknown_origin(self, splits):
        model = self.model().fit(splits.train, progress=False)
        known = splits.train.tasks(min_ratings=2)
        arrays = known.offsets, known.support_counts, known.item_index, known.targets
        users = known.user_index
        model.partial_fit(mr.TaskSet(*arrays, users, items=known.items, users=known.users))
        assert evaluate(model, splits, **OPTIONS).unchecked == ["FineTune"]

    def test_files_remember(self, splits, data, tmp_path):
        for ratings, leaks in ((splits.train, False), (data, True)):
            self.model().fit(ratings, progress=False).save(tmp_path / "model.metarec")
            model = mr.load(tmp_path / "model.metarec")
            if leaks:
                with pytest.raises(LeakageError, match="FineTune"):
                    evaluate(model, splits, **OPTIONS)
            else:
                assert evaluate(model, splits, **OPTIONS).unchecked == []
        other = split.cold_start(small_data(seed=4), seed=0)
        assert evaluate(model, other, **OPTIONS).unchecked == ["FineTune"]


def test_predict_does_not_see_the_answers(splits, data):
    class Peeks:
        def predict(self, tasks):
            seen.append(np.unique(tasks.query_targets()[0]))
            assert tasks.source is None
            rows, offsets = tasks.support()
            users = tasks.user_index if tasks.task_ids is None else tasks.user_index[tasks.task_ids]
            shown = known.ratings[np.repeat(users, np.diff(offsets)), tasks.item_index[rows]]
            np.testing.assert_array_equal(tasks.targets[rows], shown)
            return known.of(tasks)

    known, seen = Answers(data), []
    report = evaluate(Peeks(), splits, **OPTIONS | {"support_sizes": (0, 3)})
    assert report.interval("Peeks", "new_user", "mae").value == 0
    assert all(values.tolist() == [1.0] for values in seen) and len(seen) >= 8


def test_the_native_tasks_do_not_hold_the_answers_either(splits):
    tasks = splits.new_user.tasks(0)
    model = mr.MetaLearner(algorithm=mr.JointTraining(), epochs=1).initialize(splits.train)
    hidden = tasks.without_answers(1.0)
    views = [
        (tasks, hidden),
        (tasks.take([3, 1]), tasks.take([3, 1]).without_answers(1.0)),
        (tasks.take([5]), hidden.take([5])),
    ]
    for seen, blind in views:
        assert (blind.query_targets()[0] == 1).all() and len(blind) == len(seen)
        np.testing.assert_array_equal(model.predict(blind), model.predict(seen))
        # What the kernels hold are ones too: the loss is another.
        assert model.meta_gradient(blind)[0] != model.meta_gradient(seen)[0]
