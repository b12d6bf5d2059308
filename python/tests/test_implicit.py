"""The closed-form preset of clicks: by its definition, and what it must be able to do."""

import numpy as np
import pytest

import metarec as mr
from metarec import split
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.implicit import is_clicks


def world(users=150, items=40, content=True, seed=0, new=()):
    """Two kinds of people and items; a field `kind` of two values of which one is the item's."""
    random = np.random.default_rng(seed)
    kind = np.arange(items) % 2
    rows = []
    for user in range(users):
        known = [i for i in range(items) if kind[i] == user % 2 and i not in new]
        rows += [(user, i) for i in random.choice(known, 12, replace=False)]
    user, item = np.array(rows).T
    ratings = {"user": user, "item": item, "rating": np.ones(len(user), np.float32)}
    table = {"item": np.arange(items), "kind": kind, "x": random.normal(size=items)}
    fields = {"item": "categorical", "kind": "categorical" if content else None, "x": None}
    return mr.Dataset.from_frames(ratings, items=table, fields=fields)


def features(data, model):
    """Every item's vector: users over clicks, then the values of `kind` by rarity."""
    n = np.bincount(data.item, minlength=data.item_count)
    clicks = np.zeros((data.user_count, data.item_count))
    clicks[data.user, data.item] = 1
    parts = [clicks / (n + model.damping) ** model.power]
    if "kind" in data.items.fields and model.content:
        ids = data.items["kind"].ids
        kinds = (ids == np.arange(2)[:, None]).astype(float)
        assert np.log(len(ids) / (1 + kinds.sum(1))).min() > 0  # so that each has length 1
        parts.append(kinds * np.sqrt(model.content * (n + 1) / (n + 30)))
    return np.concatenate(parts), n / data.user_count


@pytest.mark.parametrize("content", [0.0, 2.0])
def test_scores_are_the_posteriors(content):
    """In the space of the vectors themselves, without components."""
    data = world()
    model = mr.ImplicitColdStart(
        rank=40, content=content, growth=0.3, popularity=0.5, power=0.3, damping=2, dtype="float64"
    ).fit(data)
    x, shares = features(data, model)
    for known in ([], [4], [1, 6, 8, 30]):
        p = 0.5 * shares
        gram = np.eye(len(x)) + 0.3 * len(known) * x @ x.T + x[:, known] @ x[:, known].T
        w = np.linalg.solve(gram, x[:, known] @ (1 - p[known]))
        found = model.adapt(items=known).predict(np.arange(40))
        # The user's own offset is held at 0 by a precision of e^8 alone.
        np.testing.assert_allclose(found, p + w @ x, atol=2e-3 if known else 1e-12)


def test_tasks_catalogues_and_users_agree():
    data = world()
    splits = split.cold_start(data, 0.3, 0.0, min_ratings=5, query=4, seed=0)
    model = mr.ImplicitColdStart(rank=8).fit(splits.train)
    tasks = splits.new_user.tasks(0).take([2, 0])
    rows, offsets = tasks.query()
    scores = model.score_catalogue(tasks)
    predicted = model.predict(tasks)
    known, bounds = tasks.support()
    for task in range(2):
        asked = tasks.item_index[rows[offsets[task] : offsets[task + 1]]]
        mine = predicted[offsets[task] : offsets[task + 1]]
        np.testing.assert_allclose(scores[task, asked], mine, atol=1e-6)
        items = tasks.item_index[known[bounds[task] : bounds[task + 1]]]
        adapted = model.adapt(items=data.item_ids(items), ratings=np.full(len(items), 7.0))
        np.testing.assert_allclose(adapted.predict(data.item_ids(asked)), mine, atol=1e-6)
        assert not set(adapted.recommend(5).items) & set(data.item_ids(items))


@pytest.mark.parametrize("content", [True, False])
def test_it_tells_kinds_apart_above_popularity(content):
    splits = split.cold_start(
        world(users=400, content=content), 0.2, 0.0, min_ratings=8, query=4, seed=0
    )
    model = mr.ImplicitColdStart().fit(splits.train)
    report = mr.evaluate(
        model, splits, ranking="catalogue", scenarios=["new_user"], support_sizes=(1,), resamples=50
    )
    ours, popular = (
        report.interval(name, "new_user", "hr@10", support_size=1).value
        for name in ("ImplicitColdStart", "popularity")
    )
    # Of the 39 others 19 are of the kind and 11 of these relevant, of which 4 are asked for.
    assert ours > popular + 0.05


def test_new_items_have_their_content():
    """Items 38 and 39 have no clicks: of either kind, they follow what is known of it."""
    model = mr.ImplicitColdStart().fit(world(new=(38, 39)))
    for kind in (0, 1):
        new = model.adapt(items=np.arange(kind, 20, 2)).predict([38, 39])
        assert new[kind] > new[1 - kind]


def test_files_keep_it(tmp_path):
    data = world()
    model = mr.ImplicitColdStart(rank=5, threads=1).fit(data)
    model.save(tmp_path / "clicks.metarec")
    again = mr.load(tmp_path / "clicks.metarec")
    assert isinstance(again, mr.ImplicitColdStart) and again.get_params() == model.get_params()
    ours, theirs = (each.adapt(items=[3, 5, 9]).recommend(5) for each in (model, again))
    assert ours.items.tolist() == theirs.items.tolist()
    np.testing.assert_array_equal(ours.scores, theirs.scores)
    tasks = data.tasks()
    np.testing.assert_array_equal(model.predict(tasks), again.predict(tasks))


def test_ratings_repeats_and_the_unknown_say_nothing():
    data = world()
    stars = mr.Dataset.from_arrays(
        np.tile(data.user, 2), np.tile(data.item, 2), np.arange(2 * len(data)) % 5 + 1.0
    )
    plain = mr.Dataset.from_arrays(data.user, data.item, np.ones(len(data)))
    one, other = (mr.ImplicitColdStart(rank=6).fit(each) for each in (plain, stars))
    scores = [model.adapt(items=[0, 2]).predict(np.arange(40)) for model in (one, other)]
    np.testing.assert_allclose(*scores, atol=1e-5)
    with_unknown = one.adapt(items=[0, 2, 999]).predict([1, 3, 999])
    assert np.isfinite(with_unknown).all()
    assert is_clicks(plain) and not is_clicks(stars)


def test_it_trains_on_by_gradients():
    data = world()
    splits = split.cold_start(data, 0.3, 0.0, min_ratings=5, query=4, seed=0)
    model = mr.ImplicitColdStart(rank=4).fit(splits.train)
    before = model.predict(splits.new_user.tasks(0))
    assert np.isfinite(model.partial_fit(splits.new_user.tasks(1)))
    assert (model.predict(splits.new_user.tasks(0)) != before).any()


@pytest.mark.parametrize(
    "options",
    [{"rank": 0}, {"power": -1}, {"content": np.inf}, {"growth": np.nan}, {"damping": -0.1}],
)
def test_options_that_cannot_be(options):
    with pytest.raises(InvalidValueError, match=next(iter(options))):
        mr.ImplicitColdStart(**options).fit(world(users=4))


def test_arguments_that_cannot_be():
    data = world(users=6)
    with pytest.raises(InvalidTypeError, match="epochs"):
        mr.ImplicitColdStart(epochs=3)
    with pytest.raises(InvalidTypeError, match="expected Dataset"):
        mr.ImplicitColdStart().fit(data.tasks())
    with pytest.raises(InvalidValueError, match="no clicks"):
        mr.ImplicitColdStart().fit(data.view(data.rating > 1))
    model = mr.ImplicitColdStart(rank=3).fit(data)
    with pytest.raises(InvalidValueError, match="ratings"):
        model.adapt(items=[1, 2], ratings=[1])
    with pytest.raises(InvalidValueError, match="of 5 items, wanted the 40"):
        model.predict(mr.Dataset.from_arrays([1] * 5, range(5), [1.0] * 5).tasks())
