"""A model adapted to one user predicts as it should and recommends in order."""

import numpy as np
import pytest
from learners import random_tasks, small_learner, small_preset

import metarec as mr
from metarec.errors import (
    InvalidIndexError,
    InvalidTypeError,
    InvalidValueError,
    NumericalError,
    StateError,
)


@pytest.fixture(scope="module")
def data():
    return mr.datasets.synthetic(users=80, items=40, seed=0)


@pytest.fixture(scope="module")
def model(data):
    return small_preset("MeLU", seed=0, dtype="float64").fit(data)


def predictions_of(model, data, items, ratings, user, wanted):
    """The same by the way of a task set: support, then query."""
    codes = data.item_codes([*items, *wanted])
    tasks = mr.TaskSet(
        np.array([0, len(codes)]),
        np.array([len(items)]),
        codes,
        np.concatenate([ratings, np.zeros(len(wanted))]),
        np.zeros(1, np.int32),
        items=data.items,
        users=data.user_features(user),
    )
    return model.predict(tasks)


@pytest.mark.parametrize("name", ["MetaLearner", "MeLU", "FineTune"])
@pytest.mark.parametrize("user", [None, {"age": 1}, {"age": 2, "hobby": [1, 3]}, 7])
@pytest.mark.parametrize("count", [0, 1, 6])
def test_predicts_as_a_task_with_that_support(name, user, count, data):
    model = small_preset(name, seed=1, dtype="float64").fit(data)
    items, ratings = [5, 3, 8, 1, 30, 12][:count], [5, 1, 3, 4, 2, 5.5][:count]
    ann = model.adapt(items, ratings, user)
    wanted = [3, 2, 39, 3]
    np.testing.assert_allclose(
        ann.predict(wanted), predictions_of(model, data, items, ratings, user, wanted), rtol=1e-12
    )
    assert repr(ann) == f"AdaptedUser({name}, {count} ratings)"


def test_no_ratings_give_the_prior_for_every_way_to_say_so(model):
    prior = model.adapt().predict(range(10))
    for ann in (model.adapt([], []), model.adapt(items=(), ratings=np.array([])), model.adapt({})):
        np.testing.assert_array_equal(ann.predict(range(10)), prior)
    assert (model.adapt([1], [5]).predict(range(10)) != prior).any()


def test_adaptation_moves_towards_the_ratings(model):
    for rating in (0.0, 9.0):
        before = model.adapt().predict([4])
        after = model.adapt([4], [rating]).predict([4])
        assert abs(after - rating) < abs(before - rating)


def test_what_was_never_seen_is_unknown(model, data):
    # Both ids are unknown, and a value never seen is as one left out.
    first, second = model.adapt([3], [5]).predict(["no such item", 10**12])
    assert first == second
    unknown = mr.FeatureTable(dict(data.items.take([-1]).fields))
    codes = np.zeros(1, np.int32)
    tasks = mr.TaskSet(
        np.array([0, 1]), np.array([0]), codes, np.zeros(1), codes, items=unknown,
        users=data.user_features(None),
    )  # fmt: skip
    assert model.adapt().predict([10**12])[0] == pytest.approx(model.predict(tasks)[0], rel=1e-12)
    known = model.adapt([3], [5]).predict([1])
    for user in ({}, {"age": "no such age"}, {"age": None}, {"hobby": []}, {"hobby": ["none"]}):
        np.testing.assert_array_equal(model.adapt([3], [5], user).predict([1]), known)
    # Unknown items teach something too: that the user is generous.
    assert model.adapt(["new", "newer"], [9, 9]).predict([1]) > model.adapt().predict([1])


def test_a_repeated_item_counts_as_often_as_it_comes(model):
    once = model.adapt([3, 5], [5, 1]).predict([3])
    thrice = model.adapt([3, 3, 3, 5], [5, 5, 5, 1]).predict([3])
    halves = model.adapt([3, 3, 5, 5], [5, 5, 1, 1]).predict([3])
    assert abs(thrice - once) > 1e-6  # the mean loss leans to the item
    np.testing.assert_allclose(halves, once, rtol=1e-10)  # but not by repetition alone


def test_ids_are_those_of_the_data():
    ratings = {
        "user": ["ann", "ann", "bob", "bob"],
        "item": ["Heat", "Alien", "Heat", "Brazil"],
        "rating": [5.0, 3, 4, 1],
    }
    model = mr.MeLU(epochs=1, dtype="float64").fit(mr.Dataset.from_frames(ratings))
    best = model.adapt(["Heat"], [5]).recommend()
    assert set(best.items.tolist()) == {"Alien", "Brazil"}
    with pytest.raises(InvalidValueError, match="cleo"):
        model.adapt(user="cleo")


# --- recommend ------------------------------------------------------------------------------------


def test_a_shortlist_is_corrected_alone():
    data = mr.datasets.synthetic(users=120, items=300, seed=0)
    model = mr.ColdStart(epochs=2, seed=0).fit(data)
    ann = model.adapt([3, 5, 14], [5, 1, 4], user={"age": 1})
    whole = dict(ann.recommend(k=297))
    plain = dict(zip(range(300), ann.predict(range(300)).tolist(), strict=True))
    assert all(score == plain[item] for item, score in whole.items())
    short = ann.recommend(k=5, shortlist=20)
    assert len(short) == 5 and all(score == plain[item] for item, score in short)
    assert list(short.scores) == sorted(short.scores, reverse=True)
    assert list(ann.recommend(k=5, shortlist=300)) == list(ann.recommend(k=5))
    # No shorter than k; items that are excluded take no place on it.
    assert len(ann.recommend(k=30, shortlist=1)) == 30
    top = ann.recommend(k=1, shortlist=1).items[0]
    assert top != ann.recommend(k=1, shortlist=1, exclude=[top]).items[0]
    with pytest.raises(InvalidValueError, match="shortlist"):
        ann.recommend(shortlist=0)


def test_without_attention_a_shortlist_changes_nothing(model):
    ann = model.adapt([3, 5], [5, 1])
    assert list(ann.recommend(k=7, shortlist=8)) == list(ann.recommend(k=7))


@pytest.mark.parametrize("factorisation", [False, True])
def test_an_adapted_user_decides_as_the_task_would(factorisation):
    data = mr.datasets.synthetic(users=120, items=60, seed=0)
    model = mr.ColdStart(epochs=2, seed=0, dtype="float64", factorisation=factorisation).fit(data)
    tasks = data.tasks(min_ratings=2)
    task = tasks.take([0])
    rows, (start, end) = task.support()
    items = data.item_ids(task.item_index[rows[start:end]])
    queries = data.item_ids(task.item_index[task.query()[0]])
    ann = model.adapt(items, task.targets[rows], user=data.user_ids([0])[0])
    for decision in ("mean", "median", "mode", "distribution"):
        found = ann.predict(queries, decision=decision)
        # The factorisation's part of one user is in single precision.
        tolerance = 2e-6 if factorisation else 1e-9
        np.testing.assert_allclose(
            found, model.predict(task, decision=decision), rtol=tolerance, atol=tolerance
        )
    with pytest.raises(InvalidValueError, match="decision"):
        ann.predict(items, decision="best")
    with pytest.raises(InvalidValueError, match="decision"):
        mr.MeLU(epochs=1).fit(data).adapt().predict(items, decision="median")


def test_recommends_the_best_first(model):
    ann = model.adapt([3, 5], [5, 1])
    scores = dict(zip(range(40), ann.predict(range(40)).tolist(), strict=True))
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    assert list(ann.recommend(k=7, exclude=[])) == ranked[:7]
    assert list(ann.recommend(k=7)) == [pair for pair in ranked if pair[0] not in (3, 5)][:7]
    assert len(ann.recommend()) == 10
    assert len(ann.recommend(k=1000)) == 38


def test_candidates_and_what_is_excluded(model):
    ann = model.adapt([3, "new"], [5, 1])
    assert set(ann.recommend(candidates=[3, 4, "new", "newer"]).items) == {4, "newer"}
    assert set(ann.recommend(candidates=[3, 4], exclude=[4, 17, "other"]).items) == {3}
    assert set(ann.recommend(candidates=[3, 4, -7, 10**9], exclude=[4, 10**9]).items) == {3, -7}
    assert set(ann.recommend(candidates=iter([3, 4]), exclude=iter([])).items) == {3, 4}
    assert not {4, 5} & set(ann.recommend(k=40, exclude=[4, 5, "other"]).items)
    assert len(ann.recommend(candidates=[3])) == 0
    assert repr(ann.recommend(candidates=[3])) == "Recommendations"


def test_equal_scores_keep_the_order_of_the_candidates(model):
    ann = model.adapt([3], [5])
    names = [f"unknown {number}" for number in (5, 3, 9, 1)]
    assert ann.recommend(candidates=names).items.tolist() == names
    assert ann.recommend(k=2, candidates=[*names, 4], exclude=[4]).items.tolist() == names[:2]


@pytest.mark.parametrize("k", [1, 3, 10, 38, 50])
def test_the_best_are_those_of_a_full_sort(model, k):
    ann = model.adapt([3, 5], [5, 1])
    # Every item twice, so that every score is tied, and unknown ones among them.
    names = [*range(40), "new", *reversed(range(40)), "newer"]
    scores = ann.predict(names)
    kept = [place for place, name in enumerate(names) if name not in (3, 5)]
    best = sorted(kept, key=lambda place: (-scores[place], place))[:k]
    found = ann.recommend(k=k, candidates=names)
    assert found.items.tolist() == [names[place] for place in best]
    np.testing.assert_array_equal(found.scores, scores[best])


def test_scores_follow_parameters_written_trained_and_loaded(data, tmp_path):
    model = small_preset("MeLU", dtype="float64").fit(data)

    def scores(model):
        return model.adapt([3, 5], [5, 1], {"age": 1}).predict(range(40))

    def afresh():
        """The same by a model that has kept nothing."""
        model.save(tmp_path / "model.metarec")
        return scores(mr.load(tmp_path / "model.metarec"))

    before = scores(model)
    for name in ("embedding.genre", "dense0.weight", "dense0.bias", "head.weight"):
        view = model.parameters()[name]
        for _ in range(2):
            view += 0.1
            after = scores(model)
            assert (after != before).any()
            np.testing.assert_array_equal(after, afresh())
            before = after
        view += 0.1
        del view
        after = scores(model)
        assert (after != before).any()
        np.testing.assert_array_equal(after, afresh())
        before = after
    tasks = data.tasks(min_ratings=4)
    tasks = mr.TaskSet(
        tasks.offsets, np.full(len(tasks), 2), tasks.item_index, tasks.targets, tasks.user_index,
        items=tasks.items, users=tasks.users,
    )  # fmt: skip
    model.partial_fit(tasks)
    after = scores(model)
    assert (after != before).any()
    np.testing.assert_array_equal(after, afresh())
    model.fit(data)
    np.testing.assert_array_equal(scores(model), afresh())


def test_a_view_of_a_view_still_may_write(model):
    before = model.adapt([3], [5]).predict(range(40))
    column = model.parameters()["embedding.genre"].T[0]
    model.adapt([3], [5]).predict(range(40))
    column += 1
    after = model.adapt([3], [5]).predict(range(40))
    assert (after != before).any()
    column -= 1
    np.testing.assert_allclose(model.adapt([3], [5]).predict(range(40)), before, rtol=1e-9)


def test_recommendations_show_themselves(model):
    best = model.adapt([3], [5]).recommend(k=2)
    first, second = best
    shown = repr(best).splitlines()
    assert shown[0] == "Recommendations" and len(shown) == 3
    assert shown[1].split() == ["1", f"{first[1]:.3f}", str(first[0])]
    assert f"<td>{second[0]}</td>" in best._repr_html_()
    tricky = model.adapt().recommend(candidates=["<script>"])
    assert "<script>" not in tricky._repr_html_()


# --- what is refused ------------------------------------------------------------------------------


def test_a_trained_model_ends_its_adapted_users(data):
    tasks = data.tasks(min_ratings=4)
    tasks = mr.TaskSet(
        tasks.offsets, np.full(len(tasks), 2), tasks.item_index, tasks.targets, tasks.user_index,
        items=tasks.items, users=tasks.users,
    )  # fmt: skip
    model = small_preset("MeLU").fit(data)
    ann = model.adapt([3], [5])
    model.partial_fit(tasks)
    for call in (lambda: ann.predict([1]), ann.recommend):
        with pytest.raises(StateError, match="adapt again"):
            call()
    ann = model.adapt([3], [5])
    model.fit(data)
    for call in (lambda: ann.predict([1]), ann.recommend):
        with pytest.raises(StateError, match="adapt again"):
            call()
    ann = model.adapt([3], [5])
    bob = model.adapt([4], [1])  # does not end ann
    assert np.isfinite([ann.predict([1]), bob.predict([1])]).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"items": [1, 2], "ratings": [5]}, InvalidValueError, "ratings: expected one for each of"),
        ({"items": [1], "ratings": [[5]]}, InvalidValueError, "ratings"),
        ({"items": [1], "ratings": 5}, InvalidValueError, "ratings"),
        ({"items": [1], "ratings": [np.nan]}, InvalidValueError, r"ratings\[0\].*finite"),
        ({"items": [1], "ratings": [np.inf]}, InvalidValueError, r"ratings\[0\].*finite"),
        ({"items": [1], "ratings": ["good"]}, InvalidTypeError, "ratings: expected numbers"),
        ({"items": "858", "ratings": [1, 2, 3]}, InvalidTypeError, "items"),
        ({"items": 858, "ratings": [1]}, InvalidTypeError, "items"),
        ({"items": [[1]], "ratings": [1]}, InvalidTypeError, "items"),
        ({"user": {"agee": 3}}, InvalidValueError, r"'agee'.*\['age', 'job', 'hobby'\]"),
        ({"user": 10**9}, InvalidValueError, "age"),
        ({"items": [1], "ratings": [1e300]}, NumericalError, "finite"),
    ],
)
def test_a_wrong_argument_is_named(model, arguments, error, message):
    with pytest.raises(error, match=message):
        model.adapt(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": 0}, InvalidValueError, "k: expected at least 1"),
        ({"k": 2.5}, InvalidTypeError, "k: expected an integer"),
        ({"candidates": []}, InvalidValueError, "candidates"),
        ({"candidates": "abc"}, InvalidTypeError, "candidates"),
        ({"candidates": [[1]]}, InvalidTypeError, "items"),
        ({"exclude": 3}, InvalidTypeError, "exclude"),
        ({"exclude": [[3]], "candidates": [1]}, InvalidTypeError, "items"),
    ],
)
def test_a_wrong_argument_of_recommend_is_named(model, arguments, error, message):
    with pytest.raises(error, match=message):
        model.adapt().recommend(**arguments)


# --- models of task sets --------------------------------------------------------------------------


def test_a_model_of_a_task_set_takes_row_numbers():
    tasks = random_tasks()
    model = small_learner(dtype="float64", epochs=2).fit(tasks)
    one = mr.TaskSet(
        np.array([0, 3]), np.array([2]), np.array([4, 2, 9], np.int32), np.array([1.0, -1, 0]),
        np.array([-1], np.int32), items=tasks.items, users=tasks.users,
    )  # fmt: skip
    ann = model.adapt([4, 2], [1, -1])
    np.testing.assert_allclose(ann.predict([9]), model.predict(one), rtol=1e-12)
    known = model.adapt([4, 2], [1, -1], user=tasks.users.take([1]))
    assert (known.predict([9]) != ann.predict([9])).all()
    assert set(ann.recommend(k=99).items) == set(range(12)) - {2, 4}
    assert ann.predict([-1]).shape == (1,)


def test_a_model_of_a_task_set_refuses_what_is_no_row():
    model = small_learner().initialize(random_tasks())
    with pytest.raises(InvalidTypeError, match=r"items.*'Heat'"):
        model.adapt(["Heat"], [5])
    with pytest.raises(InvalidTypeError, match="items"):
        model.adapt([1.5], [5])
    for wrong in (12, -2):
        with pytest.raises(InvalidIndexError, match="items"):
            model.adapt([wrong], [5])
    with pytest.raises(InvalidTypeError, match=r"user: .* FeatureTable"):
        model.adapt(user={"age": 3})
    with pytest.raises(InvalidValueError, match=r"user: .* one row, got 4"):
        model.adapt(user=random_tasks().users)
    other = mr.FeatureTable({"height": mr.Dense(np.zeros((1, 1)))})
    with pytest.raises(InvalidValueError, match=r"height|fields"):
        model.adapt(user=other)


def test_a_target_must_suit_the_loss():
    tasks = random_tasks(binary=True)
    model = small_learner(loss="logistic").fit(tasks)
    assert 0 <= model.adapt([1], [1]).predict([2])[0] <= 1
    with pytest.raises(InvalidValueError, match=r"ratings: 5\.0.*logistic"):
        model.adapt([1], [5])


class TestWhatIsKnownOfTheUser:
    def test_what_was_given(self, model):
        ann = model.adapt([5, "never seen"], [4, 2], {"age": 1})
        assert ann.items.tolist() == [5, "never seen"] and ann.ratings.tolist() == [4, 2]
        assert ann.codes_of([5, "never seen"]).tolist() == [5, -1]

    def test_the_prior_knows_all_but_the_ratings(self, model):
        prior = model.adapt([5, 3], [4, 2], {"age": 1}).prior()
        expected = model.adapt(user={"age": 1}).predict(range(9))
        np.testing.assert_array_equal(prior.predict(range(9)), expected)
        assert not len(prior.items) and not len(prior.ratings)

    @pytest.mark.parametrize("adapt", ["head", "decision", "all"])
    @pytest.mark.parametrize("user_fields", [None, ("age", "likes", "profile")])
    def test_parameters_are_those_of_a_task(self, adapt, user_fields):
        tasks = random_tasks(seed=4, user_fields=user_fields)
        learner = small_learner(algorithm=mr.MAML(inner_lr=0.1, adapt=adapt), dtype="float64")
        learner.fit(tasks)
        task = int(np.argmax(tasks.support_counts))
        rows = slice(tasks.offsets[task], tasks.offsets[task] + tasks.support_counts[task])
        user = tasks.users and tasks.users.take(tasks.user_index[task : task + 1])
        ann = learner.adapt(tasks.item_index[rows], tasks.targets[rows], user)
        found, adapted = ann.parameters(), learner.adapted_parameters(tasks)
        assert found.keys() == learner.parameters().keys()
        for name, value in learner.parameters().items():
            expected = adapted[name][task] if name in adapted else value
            np.testing.assert_allclose(found[name], expected, rtol=1e-12)
        assert (found["head.weight"] != learner.parameters()["head.weight"]).any()

    def test_sampled_negatives_are_not_the_users_ratings(self, data):
        clicks = mr.Dataset.from_arrays(data.user, data.item, np.ones(len(data)))
        learner = small_learner(
            loss="logistic", negatives=mr.Negatives(ratio=2, sampling="uniform"), epochs=1
        )
        ann = learner.fit(clicks).adapt([3, 5], [1, 1])
        assert ann.ratings.tolist() == [1, 1]


@pytest.mark.parametrize("kind", ["writable", "view", "constant"])
def test_items_follow_their_features_unless_nobody_writes_them(kind):
    """What is kept of items is computed anew; of read-only arrays that are no views it stays."""
    memory = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    vectors = memory.view() if kind == "view" else memory
    vectors.setflags(write=kind == "writable")
    features = mr.FeatureTable({"plot": mr.Dense(vectors)})
    tasks = mr.TaskSet(
        np.array([0, 4]),
        np.array([2]),
        np.array([0, 1, 2, 3], np.int32),
        np.array([1.0, 5, 2, 4]),
        items=features,
    )
    model = mr.MetaLearner(seed=0).initialize(tasks)
    user = model.adapt([0, 1], [1, 5])
    before = user.predict([2, 3])
    np.testing.assert_array_equal(user.predict([2, 3]), before)
    memory.setflags(write=True)  # against what its owner said
    memory[3] += 1
    after = user.predict([2, 3])
    if kind == "constant":
        np.testing.assert_array_equal(after, before)
        return
    assert after[0] == before[0] and after[1] != before[1]
