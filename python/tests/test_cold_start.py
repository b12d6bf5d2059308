"""The preset for cold starts: content, ids, decisions, files."""

import copy
import itertools
import pickle
import warnings

import numpy as np
import pytest
from native_calls import Random, World
from rewriting import rewrite

import metarec as mr
from metarec.content import blocks, components
from metarec.errors import InvalidTypeError, InvalidValueError, StateError

SMALL = {"tokens": 12, "features": 6, "components": 16, "attention": 2, "epochs": 2, "seed": 0}
SMALL |= {"factorisation": {"rank": 3, "samples": 5, "burn_in": 10, "interval": 1}}
ALONE = SMALL | {"factorisation": False}


@pytest.fixture(scope="module")
def data():
    return mr.datasets.synthetic(users=250, items=120, seed=0)


@pytest.fixture(scope="module")
def splits(data):
    return mr.split.cold_start(data, seed=0)


@pytest.fixture(scope="module")
def model(splits):
    return mr.ColdStart(**SMALL).fit(splits.train, validation=splits.validation)


def test_decisions_are_those_of_the_distribution(model, splits):
    tasks = splits.new_user.tasks()
    p = model.predict(tasks, decision="distribution")
    levels = model.levels_
    assert levels.tolist() == [1, 2, 3, 4, 5] and p.shape == (tasks.query_rows, 5)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(model.predict(tasks), p @ levels, rtol=1e-5)
    assert (model.predict(tasks, decision="mode") == levels[p.argmax(1)]).all()
    median = model.predict(tasks, decision="median")
    for row, value in enumerate(median):
        below = p[row, levels < value].sum()
        assert below < 0.5 + 1e-6 and below + p[row, levels == value].sum() >= 0.5 - 1e-6
    with pytest.raises(InvalidValueError, match="decision"):
        model.predict(tasks, decision="best")


def log_score(p, tasks, levels):
    hits = np.searchsorted(levels, tasks.query_targets()[0])
    return np.log(p[np.arange(len(p)), hits]).mean()


def test_the_mixture_is_better_than_the_network_and_bias(splits):
    model = mr.ColdStart(**SMALL | {"epochs": 8}).fit(splits.train_and_validation)
    bias = mr.baselines.Bias().fit(splits.train_and_validation)
    for name in ("new_user", "new_item"):
        tasks = splits[name].tasks()
        network = model._network(model._tasks(tasks))
        mixed = model.predict(tasks, decision="distribution")
        assert log_score(mixed, tasks, model.levels_) > log_score(network, tasks, model.levels_)
        assert rmse(model, tasks) < rmse(bias, tasks)
    for weights in model.weights_.values():
        assert list(weights) == ["network", "factorisation", "offsets"]
        assert sum(weights.values()) == pytest.approx(1) and min(weights.values()) >= 0


def test_predicts_the_log_linear_pool_of_its_parts(model, splits):
    tasks = splits.new_both.tasks()
    own = model._tasks(tasks)
    parts = [model._network(own)]
    parts += [each.predict(own, decision="distribution") for each in model._mixture.partners]
    weights = list(model.weights_["new"].values())
    p = np.exp(sum(w * np.log(part) for w, part in zip(weights, parts, strict=True)))
    np.testing.assert_allclose(
        model.predict(tasks, decision="distribution"), p / p.sum(1, keepdims=True), atol=1e-6
    )


def test_validation_that_the_data_has_is_left_out_first(splits, model):
    whole = mr.ColdStart(**SMALL).fit(splits.train_and_validation, splits.validation)
    # Chosen on the same models and tasks, then trained on more.
    assert whole.weights_ == model.weights_
    first, last = (each._mixture.partners[0] for each in (model, whole))
    for kind, probit in first.probits_.items():
        np.testing.assert_array_equal(probit.cuts, last.probits_[kind].cuts)
    assert (first._factors["item_factors"] != last._factors["item_factors"]).any()
    assert whole.trained_on_.mask.sum() == len(splits.train_and_validation)
    assert whole.epochs == SMALL["epochs"]


def test_the_network_alone(splits):
    model = mr.ColdStart(**ALONE).fit(splits.train)
    tasks = splits.new_user.tasks()
    assert model.weights_ == {kind: {"network": 1.0} for kind in ("known", "new")}
    p = model.predict(tasks, decision="distribution")
    assert (p == model._network(model._tasks(tasks))).all()


@pytest.mark.parametrize("value", [{"levels": [1, 2]}, {"depth": 3}, {"rank": -1}])
def test_refuses_options_of_the_factorisation(splits, value):
    with pytest.raises(InvalidValueError, match=next(iter(value))):
        mr.ColdStart(**SMALL | {"factorisation": value}).fit(splits.train)
    with pytest.raises(InvalidTypeError, match="factorisation"):
        mr.ColdStart(**SMALL | {"factorisation": 3}).fit(splits.train)


def test_a_handful_of_ratings_will_do():
    data = mr.Dataset.from_arrays([1, 1, 2], [1, 2, 2], [1, 2, 3])
    model = mr.ColdStart(**SMALL).fit(data)
    assert model.weights_["known"]["factorisation"] == 1
    assert np.isfinite(model.adapt([1], [3]).predict([1, 2, 9])).all()


def rmse(model, tasks):
    return np.sqrt(np.mean((model.predict(tasks) - tasks.query_targets()[0]) ** 2))


def test_beats_the_user_mean_and_learns_from_the_support(splits):
    model = mr.ColdStart(**ALONE | {"epochs": 15, "l2": 5e-4}).fit(splits.train)
    for name in ("new_user", "new_item", "new_both"):
        tasks = splits[name].tasks()
        support, offsets = tasks.support()
        means = [tasks.targets[support[a:b]].mean() for a, b in itertools.pairwise(offsets)]
        mean = np.repeat(means, np.diff(tasks.query()[1]))
        assert rmse(model, tasks) < np.sqrt(np.mean((mean - tasks.query_targets()[0]) ** 2)), name
    before, after = (splits.new_user.tasks(support_size=size) for size in (0, 90))
    assert rmse(model, after) < 0.97 * rmse(model, before)


def test_the_adapted_user_predicts_as_the_task_would(model, splits):
    scenario = splits.new_user
    tasks = scenario.tasks().take([0])
    data = scenario.data
    rows, (start, end) = tasks.support()
    items = data.item_ids(tasks.item_index[rows[start:end]])
    queries = data.item_ids(tasks.item_index[tasks.query()[0]])
    user = data.user_ids([scenario.users[0]])[0]
    adapted = model.adapt(items, tasks.targets[rows], user=user)
    np.testing.assert_allclose(adapted.predict(queries), model.predict(tasks), rtol=1e-5)
    assert len(adapted.recommend(k=5)) == 5
    # An item that nobody knows, a user of whom nothing is known, nothing rated: all fine.
    assert np.isfinite(model.adapt().predict(["no such item"])).all()


def test_items_without_training_ratings_have_no_id(model, splits):
    seen = np.bincount(splits.train.item, minlength=splits.train.item_count) > 0
    assert ((model._items["item"].ids >= 0) == seen).all() and not seen.all()


def test_the_content_of_new_items_is_used(model, splits):
    tasks = splits.new_item.tasks()
    assert len(np.unique(np.round(model.predict(tasks), 6))) > 0.9 * tasks.query_rows


@pytest.mark.parametrize("kind", ["stars", "clicks", "halves", "many"])
def test_any_ratings_without_features(kind):
    random = np.random.default_rng(0)
    user, item = np.repeat(np.arange(60), 20), random.integers(0, 40, 1200)
    rating = {
        "stars": random.integers(1, 6, 1200),
        "clicks": random.integers(0, 2, 1200),
        "halves": random.integers(1, 11, 1200) / 2,
        "many": random.normal(size=1200),
    }[kind]
    data = mr.Dataset.from_arrays(user, item, rating)
    model = mr.ColdStart(**SMALL).fit(data)
    levels = {"stars": 5, "clicks": 2, "halves": 10, "many": 10}[kind]
    adapted = model.adapt(items=[3, 4], ratings=rating[:2])
    low, high = model.levels_[0], model.levels_[-1]
    assert len(model.levels_) == levels and (np.diff(model.levels_) > 0).all()
    assert ((adapted.predict(range(40)) >= low) & (adapted.predict(range(40)) <= high)).all()


def test_clicks_alone_with_drawn_negatives():
    random = np.random.default_rng(0)
    user, item = np.repeat(np.arange(60), 20), random.integers(0, 40, 1200)
    data = mr.Dataset.from_arrays(user, item, np.ones(1200))
    model = mr.ColdStart(negatives=mr.Negatives(ratio=2), **SMALL).fit(data)
    assert model.levels_.tolist() == [0, 1]
    scores = model.adapt(items=[3, 4], ratings=[1, 1]).predict(range(40))
    assert ((scores > 0) & (scores < 1)).all()
    # A third of the rows that it learned from were clicks.
    assert 0.2 < scores.mean() < 0.5


@pytest.fixture(scope="module")
def clicks():
    random = np.random.default_rng(0)
    user, item = np.repeat(np.arange(60), 20), random.integers(0, 40, 1200)
    return mr.Dataset.from_arrays(user, item, np.ones(1200))


def test_clicks_alone_are_left_to_their_own_preset(clicks, tmp_path):
    wanted = mr.ImplicitColdStart(seed=3, threads=1, dtype="float64").fit(clicks)
    model = mr.ColdStart(seed=3, threads=1, dtype="float64")
    assert model.fit(clicks) is model and type(model) is mr.ColdStart
    assert repr(model) == "ColdStart(threads=1, dtype='float64', seed=3)"
    assert model.levels_ is None and repr(model.trained_on_) == repr(wanted.trained_on_)
    model.save(tmp_path / "clicks.metarec")
    others = [mr.load(tmp_path / "clicks.metarec"), copy.deepcopy(model)]
    others.append(pickle.loads(pickle.dumps(model)))
    tasks = clicks.tasks()
    for each in (model, *others):
        assert type(each) is mr.ColdStart and each.get_params() == model.get_params()
        np.testing.assert_array_equal(each.predict(tasks), wanted.predict(tasks))
        np.testing.assert_array_equal(each.score_catalogue(tasks), wanted.score_catalogue(tasks))
        for user in (each.adapt([3, 4]), each.adapt([3, 4], [1, 1], {"age": 3})):
            assert repr(user) == "AdaptedUser(ColdStart, 2 ratings)"
            np.testing.assert_array_equal(
                user.recommend(5).items, wanted.adapt([3, 4]).recommend(5).items
            )
            assert user.prior().ratings.shape == (0,)
    with pytest.raises(InvalidValueError, match="clicks alone have no distribution"):
        model.predict(tasks, "median")
    with pytest.raises(InvalidValueError, match="no distribution"):
        model.adapt([3]).predict([4], "median")


def test_a_model_of_clicks_trains_on_and_says_what_it_saw(clicks):
    model = mr.ColdStart().fit(clicks.view(clicks.user < 30))
    before, seen = model.predict(clicks.tasks()), repr(model.trained_on_)
    assert np.isfinite(model.partial_fit(clicks.tasks()))
    again = copy.deepcopy(model)
    assert (again.predict(clicks.tasks()) != before).any()
    assert repr(again.trained_on_) == repr(model.trained_on_) != seen


def test_clicks_and_stars_by_turns(data, clicks):
    fresh = mr.ColdStart(**ALONE).fit(data)
    model = mr.ColdStart(**ALONE)
    with pytest.warns(UserWarning, match="clicks.*tokens.*factorisation"):
        model.fit(clicks)
    user = model.adapt([3, 4])
    model.fit(data)
    np.testing.assert_array_equal(model.levels_, fresh.levels_)
    np.testing.assert_array_equal(model.predict(data.tasks()), fresh.predict(data.tasks()))
    with pytest.raises(StateError, match="adapt again"):
        user.predict([3])
    with pytest.warns(UserWarning, match="clicks"):
        model.fit(clicks)
    wanted = mr.ImplicitColdStart().fit(clicks).predict(clicks.tasks())
    np.testing.assert_allclose(model.predict(clicks.tasks()), wanted, rtol=1e-6)
    with pytest.warns(UserWarning, match="clicks"):
        assert model.initialize(clicks).levels_ is None
    model.initialize(data)
    assert model.levels_.tolist() == fresh.levels_.tolist() and model.steps == 0


def test_what_clicks_have_no_use_for_is_named(clicks, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mr.ColdStart(seed=1, threads=1, dtype="float64").fit(clicks)
    with pytest.warns(UserWarning, match=r"ratings are 1,.*: epochs, checkpoint not used"):
        mr.ColdStart(epochs=3).fit(clicks, checkpoint=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("support", [0, 1, 20])
def test_one_user_is_scored_as_in_a_task(model, data, support):
    """In single precision, by products, and the same for an item whatever the others are."""
    items, ratings = data.item_ids(np.arange(support) * 5), np.arange(support) % 5 + 1.0
    user = model.adapt(items, ratings, {"age": 25} if support else None)
    everything = np.append(data.item_ids(np.arange(data.item_count)), [-7, -7])
    taken = user._support
    codes = model._item_codes(everything)
    tasks = mr.TaskSet(
        np.array([0, support + len(codes)]),
        np.array([support]),
        np.append(taken.codes, codes),
        np.append(taken.ratings, np.zeros(len(codes))),
        None if taken.features is None else np.zeros(1, np.int32),
        items=model._items,
        users=taken.features,
    )
    known = model._mixture.partners[0]._has_ratings(codes)
    assert known.any() and not known.all()
    whole = user.predict(everything, "distribution")
    np.testing.assert_allclose(whole, model.predict(tasks, "distribution"), rtol=2e-5)
    np.testing.assert_allclose(user.predict(everything), model.predict(tasks), rtol=1e-6)
    some = np.random.default_rng(0).permutation(len(everything))[:37]
    np.testing.assert_array_equal(user.predict(everything[some], "distribution"), whole[some])
    one = user.predict(everything[3:4], "distribution")
    np.testing.assert_array_equal(one, whole[3:4])


def test_what_cannot_be_fitted_is_named(data, model):
    with pytest.raises(InvalidTypeError, match="expected Dataset"):
        mr.ColdStart().fit(data.tasks())
    other = mr.Dataset.from_arrays([1, 2], [1, 2], [1, 2])
    with pytest.raises(InvalidValueError, match="the data that the model was fitted on"):
        model.predict(other.tasks())
    with pytest.raises(InvalidTypeError, match="schedule"):
        mr.ColdStart(schedule="cosine")


def test_saved_and_copied_models_predict_the_same(model, splits, tmp_path):
    tasks = splits.new_item.tasks()
    model.save(tmp_path / "model.metarec")
    for other in (mr.load(tmp_path / "model.metarec"), copy.deepcopy(model)):
        for decision in ("mean", "distribution"):
            expected = model.predict(tasks, decision=decision)
            assert (other.predict(tasks, decision=decision) == expected).all()
        assert other.levels_.tolist() == model.levels_.tolist()
        user = other.adapt([3], [5], user={"age": 1}).recommend(k=3)
        assert (user.items == model.adapt([3], [5], user={"age": 1}).recommend(k=3).items).all()


def test_threads_and_seeds(splits):
    def parameters(**options):
        return mr.ColdStart(**ALONE | options).fit(splits.train).parameters()

    one, two, other = parameters(threads=1), parameters(threads=2), parameters(seed=1)
    assert all((one[name] == two[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)


def test_user_fields_of_few_users_a_value_are_left_out():
    random = np.random.default_rng(0)
    ratings = {"user": np.repeat(np.arange(50), 10), "item": random.integers(0, 30, 500)}
    ratings["rating"] = random.integers(1, 6, 500)
    users = {"user": np.arange(50), "sex": np.arange(50) % 2, "code": np.arange(50)}
    model = mr.ColdStart(**SMALL).fit(mr.Dataset.from_frames(ratings, users=users))
    assert list(model._users.fields) == ["sex"]
    assert np.isfinite(model.adapt([1], [5], user={"sex": 1, "code": 7}).predict([2])).all()


def test_content_is_the_principal_components_of_the_kernels():
    genre = mr.Bag(np.array([0, 1, 0, 1, 2, 2], np.int32), np.array([0, 2, 3, 4, 5, 6]), size=3)
    year = np.array([1990.0, 1990, 2000, np.nan, 2000])
    maps = blocks({"genre": genre}, {"year": year})
    for _, block in maps:
        norms = np.linalg.norm(block, axis=1)
        np.testing.assert_allclose(norms[norms > 0], 1, rtol=1e-5)
    assert (maps[-1][1][3] == 0).all()
    rated = np.array([True, True, True, True, False])
    vectors = components(maps, rated, 10)
    x = np.concatenate([np.sqrt(weight) * block for weight, block in maps], 1)
    x -= x[rated].mean(0)
    # All components together keep every inner product of the rated items, but for the scale.
    kernel, found = x[rated] @ x[rated].T, vectors[rated] @ vectors[rated].T
    np.testing.assert_allclose(found * np.trace(kernel) / 4, kernel, atol=1e-4)
    np.testing.assert_allclose(np.trace(found) / 4, 1, rtol=1e-4)
    assert components(maps, rated, 2).shape == (5, 2)


def test_text_words_and_lists_are_content():
    titles = np.array(["The Big Sleep", "Big", "Sleep, my love", None], object)
    lists = np.empty(4, object)
    lists[:] = [["A B"], ["A B", "C"], ["C"], []]
    (_, words), (_, names) = blocks({}, {"title": titles, "writer": lists})
    assert words.shape == (4, 2) and names.shape == (4, 2)  # big, sleep; "A B", C
    assert words[0] @ words[1] > 0 and words[1] @ words[2] == 0


def test_the_whole_preset_ranks_the_catalogue(data):
    model = mr.ColdStart(**SMALL | {"factorisation": {"samples": 3, "burn_in": 5}}).fit(data)
    tasks = data.tasks().take([0, 5])
    scores = model.score_catalogue(tasks)
    assert scores.shape == (2, data.item_count)
    for row in range(2):
        task = tasks.take([row])
        rows, (start, end) = task.support()
        items = data.item_ids(task.item_index[rows[start:end]])
        user = data.user_ids([task.user_index[task.task_ids[0]]])[0]
        adapted = model.adapt(items, task.targets[rows], user=user)
        everything = data.item_ids(np.arange(data.item_count))
        np.testing.assert_allclose(scores[row], adapted.predict(everything), rtol=1e-6)


@pytest.mark.parametrize(
    ("refit", "options"),
    [
        ("fit", ALONE | {"lr": -1.0}),
        ("initialize", ALONE | {"lr": -1.0}),
        ("fit", SMALL | {"factorisation": {"bad": 1}}),
    ],
)
def test_a_refused_fit_changes_nothing(data, refit, options):
    model = mr.ColdStart(**ALONE).fit(data)
    tasks = data.tasks()
    before, user = model.predict(tasks, decision="median"), model.adapt([1], [5])
    own = user.predict([1, 2], "median")
    model.set_params(**options)
    with pytest.raises(InvalidValueError):
        getattr(model, refit)(mr.Dataset.from_arrays(data.user, data.item, 10 * data.rating))
    np.testing.assert_array_equal(user.predict([1, 2], "median"), own)
    np.testing.assert_array_equal(model.predict(tasks, decision="median"), before)


def test_counts_are_features_of_items_that_training_has(data):
    rows = np.flatnonzero(data.item < 100)
    items = mr.ColdStart(**ALONE).fit(data.view(rows))._items
    ratings = np.bincount(data.item[rows], minlength=data.item_count)
    codes = items.fields["item.count"].ids
    assert (codes[ratings == 0] == -1).all() and codes.max() + 1 == items.fields["item.count"].size
    np.testing.assert_array_equal(codes[ratings > 0], np.round(2 * np.log2(ratings[ratings > 0])))
    assert "item.count" not in mr.ColdStart(**ALONE, counts=False).fit(data)._items.fields
    with pytest.raises(InvalidTypeError, match=r"counts: expected True or False, got str"):
        mr.ColdStart(counts="no").fit(data)


def test_negatives_asked_for_after_a_fit_to_clicks_wait_for_the_next(clicks):
    model = mr.ColdStart(**SMALL)
    with pytest.warns(UserWarning, match="clicks"):
        model.fit(clicks)
    before = model.predict(clicks.tasks())
    model.set_params(negatives=mr.Negatives())
    np.testing.assert_array_equal(model.predict(clicks.tasks()), before)
    model.partial_fit(clicks.tasks())
    assert np.isfinite(model.predict(clicks.tasks())).all()


def test_damaged_mixtures_are_refused(model, tmp_path):
    path = tmp_path / "model.metarec"

    def spoil(change):
        model.save(path)
        rewrite(path, about=lambda about: change(about["learned"]["beside"]) or about)
        with pytest.raises(InvalidValueError, match="damaged"):
            mr.load(path)

    probit = lambda beside: beside["partners"][0]["probits"]["known"]  # noqa: E731
    spoil(lambda beside: beside["weights"].update(known=[0.5, float("nan"), 0.5]))
    spoil(lambda beside: beside["weights"].update(new=[1.0]))
    spoil(lambda beside: probit(beside).update(slope=-1.0))
    spoil(lambda beside: probit(beside).update(cuts=[4.0, 3.0, 2.0, 1.0]))
    spoil(lambda beside: probit(beside).update(shift=float("inf")))
    spoil(lambda beside: probit(beside).update(levels=[1.0, 2, 3, 4, 9]))


def test_files_from_before_counts_had_none(data, tmp_path):
    path = tmp_path / "model.metarec"
    mr.ColdStart(**ALONE, counts=False).fit(data).save(path)

    def older(about):
        del about["params"]["counts"], about["learned"]["learned"]["counts"]
        return about

    rewrite(path, about=older)
    assert mr.load(path).counts is False


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("given", np.full((3, 5), np.nan), "given"),
        ("given", np.full((3, 5), -0.1), "given"),
        ("levels", np.ones(5), "levels"),
        ("cuts", np.tile([4.0, 3, 2, 1], (2, 1, 1)), "cuts"),
        ("lines", np.tile([0.0, 0, 1], (2, 1, 1)), "lines"),
        ("lines", np.tile([1.0, np.nan, 1], (2, 1, 1)), "lines"),
        ("weights", np.full((2, 2), -1.0), "weights"),
    ],
)
def test_mixtures_of_what_is_none_are_refused(argument, value, message):
    call = World(Random(0)).mix_levels()
    with pytest.raises(InvalidValueError, match=message):
        call.target(**call.arguments | {argument: value})
