"""Estimators have scikit-learn's manners, train, and show what is inside."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner, small_preset
from sklearn.base import clone

import metarec as mr
from metarec.errors import InvalidTypeError, InvalidValueError, NotFittedError

PRESETS = ("MetaLearner", "MeLU", "FineTune")


@pytest.fixture(scope="module")
def data():
    return mr.datasets.synthetic(users=80, items=40, seed=0)


@pytest.fixture(scope="module")
def splits(data):
    return mr.split.cold_start(data, min_ratings=4, query=2, seed=0)


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [mr.MetaLearner, mr.MeLU, mr.FineTune])
def test_options_are_the_signature_and_kept_unchanged(kind):
    signature = inspect.signature(kind).parameters
    assert all(p.kind is p.KEYWORD_ONLY for p in signature.values())
    model = kind()
    params = model.get_params(deep=False)
    assert list(params) == list(signature)
    assert {name: p.default for name, p in signature.items()} == params
    hidden = [8]
    if kind is not mr.MetaLearner:
        assert kind(hidden=hidden).hidden is hidden
    with pytest.raises(TypeError, match="nonsense"):
        kind(nonsense=1)


def test_presets_do_not_take_what_they_decide():
    for role in ("backbone", "algorithm", "loss", "optimizer"):
        with pytest.raises(InvalidTypeError, match=role):
            mr.MeLU(**{role: "maml"})
        assert role not in mr.MeLU().get_params()


def test_options_of_parts_are_reached_by_double_underscores():
    model = mr.MetaLearner(algorithm=mr.ANIL(inner_steps=3))
    assert model.get_params()["algorithm__inner_steps"] == 3
    model.set_params(epochs=4, algorithm__inner_lr=0.5)
    assert (model.epochs, model.algorithm.inner_lr, model.algorithm.inner_steps) == (4, 0.5, 3)
    # A part given by name gets its options all the same, and a new part before its options.
    model = mr.MetaLearner().set_params(backbone__hidden=(3,), backbone__embedding_dim=2)
    assert model.backbone == mr.FeatureMLP(hidden=(3,), embedding_dim=2)
    model.set_params(algorithm__order=1, algorithm=mr.MAML(inner_steps=7))
    assert model.algorithm == mr.MAML(inner_steps=7, order=1)
    assert mr.MetaLearner().backbone == "feature_mlp"


@pytest.mark.parametrize(
    "params", [{"nonsense": 1}, {"algorithm__nonsense": 1}, {"seed__x": 1}, {"a__b__c": 1}]
)
def test_an_unknown_option_is_named(params):
    (name,) = params
    with pytest.raises(InvalidValueError, match=name.split("__")[-1]):
        mr.MetaLearner().set_params(**params)


@pytest.mark.parametrize("name", PRESETS)
def test_clone_is_a_new_model_with_equal_options(name, data):
    model = small_preset(name, seed=3).fit(data)
    cloned = clone(model)
    assert type(cloned) is type(model)
    assert repr(cloned) == repr(model)
    with pytest.raises(NotFittedError):
        cloned.parameters()
    cloned.fit(data)
    assert same_bits(model.parameters(), cloned.parameters())


def test_repr_shows_what_is_not_default():
    assert repr(mr.MetaLearner()) == "MetaLearner()"
    assert repr(mr.MeLU(inner_steps=1, seed=0)) == "MeLU(inner_steps=1)"
    shown = repr(mr.MetaLearner(algorithm=mr.MAML(order=1), dtype="float64"))
    assert shown == "MetaLearner(algorithm=MAML(order=1), dtype='float64')"
    assert "FineTune(hidden=array([4, 4]))" in repr(mr.FineTune(hidden=np.array([4, 4])))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"algorithm": "mamal"}, "algorithm"),
        ({"algorithm": mr.Adam()}, "algorithm"),
        ({"algorithm": mr.MAML}, "algorithm"),
        ({"loss": 3}, "loss"),
        ({"algorithm": mr.MAML(inner_lr=-1)}, "inner_lr"),
        ({"algorithm": mr.MAML(inner_lr="fast")}, "inner_lr"),
        ({"algorithm": mr.MAML(adapt="everything")}, "adapt"),
        ({"algorithm": mr.MAML(order=3)}, "order: 3.* from 1 to 2"),
        ({"algorithm": mr.ANIL(inner_steps=10**9)}, "inner_steps"),  # they are unrolled
        ({"backbone": mr.FeatureMLP(hidden=(0,))}, "hidden"),
        ({"optimizer": mr.Adam(beta1=1.0)}, "beta1"),
        ({"batch_size": 0}, "batch_size"),
        ({"dtype": "float16"}, "dtype"),
        ({"seed": -1}, "seed"),
        ({"threads": 0}, "threads"),
        ({"clip_norm": 0}, "clip_norm"),
        ({"clip_value": -1.0}, "clip_value"),
        ({"unknown_rate": 1.0}, "unknown_rate"),
        ({"epochs": 1.5}, "epochs"),
        ({"epochs": -1}, "epochs"),
        ({"patience": 0}, "patience"),
        ({"episodes": (1, 2)}, "episodes"),
    ],
)
def test_a_wrong_option_is_named_at_fit_and_the_model_stays(options, name, data):
    model = small_learner(epochs=1).fit(data)
    before = copies(model)
    with pytest.raises((InvalidValueError, InvalidTypeError), match=name):
        model.set_params(**options).fit(data)
    assert same_bits(before, model.parameters())


# --- training -------------------------------------------------------------------------------------


def test_before_fit_everything_asks_for_fit():
    model, tasks = mr.MeLU(), random_tasks()
    calls = [
        lambda: model.parameters(),
        lambda: model.predict(tasks),
        lambda: model.adapt(),
        lambda: model.meta_gradient(tasks),
        lambda: model.adapted_parameters(tasks),
        lambda: model.support_losses(tasks),
        lambda: model.steps,
        lambda: model.save("nowhere.metarec"),
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match="fit"):
            call()
    assert "not fitted" in model._repr_html_()


@pytest.mark.parametrize("name", PRESETS)
def test_fit_learns_from_a_dataset(name, data):
    model = small_preset(name, seed=0).set_params(epochs=8)
    assert model.fit(data) is model
    losses = [row["loss"] for row in model.history_]
    assert [row["epoch"] for row in model.history_] == list(range(1, 9))
    assert losses[-1] < losses[0]
    assert model.steps == 8 * -(-80 // model.batch_size)
    assert f"{model.steps} outer steps" in model._repr_html_()


def test_fit_on_a_task_set_is_steps_on_its_tasks_as_they_are():
    tasks = random_tasks(tasks=4)
    fitted = small_learner(epochs=3, batch_size=4, dtype="float64").fit(tasks)
    stepped = small_learner(dtype="float64").initialize(tasks)
    losses = [stepped.partial_fit(tasks) for _ in range(3)]
    np.testing.assert_allclose([row["loss"] for row in fitted.history_], losses, rtol=1e-12)
    for name, value in stepped.parameters().items():
        np.testing.assert_allclose(fitted.parameters()[name], value, atol=1e-12)


def test_a_column_without_any_value_teaches_nothing_and_does_no_harm():
    ratings = {"user": [1, 1, 2, 2], "item": ["a", "b"] * 2, "rating": [5, 1, 4, 2]}
    items = {"item": ["a", "b"], "genre": [None, None], "tags": ["", ""]}
    data = mr.Dataset.from_frames(
        ratings, items=items, fields={"genre": "categorical", "tags": "bag"}
    )
    assert data.items["genre"].size == 0
    model = small_learner(epochs=2).fit(data)
    assert model.parameters()["embedding.genre"].shape == (0, 3)
    assert np.isfinite(model.adapt(["a"], [5]).predict(["a", "b"])).all()


def test_partial_fit_begins_by_itself_and_is_one_step_down_the_gradient():
    tasks = random_tasks()
    model = small_learner(optimizer=mr.SGD(lr=0.1), dtype="float64", seed=4)
    loss = model.partial_fit(tasks)
    assert model.steps == 1
    fresh = small_learner(dtype="float64", seed=4).initialize(tasks)
    expected, gradients = fresh.meta_gradient(tasks)
    assert loss == expected
    for name, value in fresh.parameters().items():
        np.testing.assert_allclose(model.parameters()[name], value - 0.1 * gradients[name])


def test_partial_fit_and_predict_take_task_sets_alone(data):
    model = small_learner()
    with pytest.raises(InvalidTypeError, match="tasks: expected TaskSet, got Dataset"):
        model.partial_fit(data)
    with pytest.raises(NotFittedError):
        model.parameters()
    with pytest.raises(InvalidTypeError, match="tasks"):
        model.initialize([1, 2])


def test_a_new_fit_starts_again(data):
    model = small_preset("MeLU", seed=1).fit(data)
    first = copies(model)
    model.fit(data)
    assert same_bits(first, model.parameters())
    assert len(model.history_) == 2


def test_clipping_bounds_the_step():
    tasks = random_tasks()
    for option in ({"clip_norm": 1e-3}, {"clip_value": 1e-3}):
        model = small_learner(optimizer=mr.SGD(lr=1.0), dtype="float64", **option).initialize(tasks)
        before = copies(model)
        model.partial_fit(tasks)
        moves = np.concatenate([(model.parameters()[n] - v).ravel() for n, v in before.items()])
        size = np.linalg.norm(moves) if "clip_norm" in option else np.abs(moves).max()
        np.testing.assert_allclose(size, 1e-3, rtol=1e-6)


def test_numbers_that_are_not_finite_leave_the_parameters():
    tasks = random_tasks()
    model = small_learner(algorithm=mr.MAML(inner_lr=1e200, inner_steps=5)).initialize(tasks)
    before = copies(model)
    with pytest.raises(mr.errors.NumericalError, match="finite"):
        model.partial_fit(tasks)
    assert same_bits(before, model.parameters())
    assert model.steps == 0


# --- inside ---------------------------------------------------------------------------------------


def test_parameters_have_the_documented_names_and_shapes():
    tasks = random_tasks()
    model = mr.MetaLearner(
        backbone=mr.FeatureMLP(embedding_dim=7, hidden=(6, 5)),
        algorithm=mr.MetaSGD(adapt="head"),
    ).initialize(tasks)
    width = 4 * 7 + 2 * 3  # four embedded fields and two dense ones of three columns
    assert {name: value.shape for name, value in model.parameters().items()} == {
        "embedding.genre": (4, 7),
        "embedding.tags": (5, 7),
        "embedding.age": (4, 7),
        "embedding.likes": (5, 7),
        "dense0.weight": (width, 6),
        "dense0.bias": (6,),
        "dense1.weight": (6, 5),
        "dense1.bias": (5,),
        "head.weight": (5, 1),
        "head.bias": (1,),
        "step_size.head.weight": (5, 1),
        "step_size.head.bias": (1,),
    }


def test_parameters_are_live_views():
    tasks = random_tasks()
    model = small_learner(dtype="float64").initialize(tasks)
    views = model.parameters()
    before, values = model.predict(tasks), copies(model)
    views["head.bias"] += 1
    assert (model.predict(tasks) != before).all()
    model.partial_fit(tasks)
    model.parameters()  # brings lazily updated rows up to date
    assert any((views[name] != values[name]).any() for name in values if "embedding" in name)
    del model
    assert np.isfinite(views["head.bias"]).all()


def test_evaluate_is_metarecs(splits):
    model = small_preset("MeLU").fit(splits.train, validation=splits.validation)
    options = {"draws": 1, "resamples": 10, "support_sizes": ()}
    assert repr(model.evaluate(splits, **options)) == repr(mr.evaluate(model, splits, **options))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_in_memory_are_independent(copied, data):
    tasks = random_tasks()
    model = small_learner(seed=2).initialize(tasks)
    model.partial_fit(tasks)
    twin = copied(model)
    assert same_bits(model.parameters(), twin.parameters())
    before = copies(twin)
    model.partial_fit(tasks)
    assert same_bits(before, twin.parameters())
    twin.partial_fit(tasks)
    assert same_bits(model.parameters(), twin.parameters())
    assert repr(copied(mr.MeLU(seed=5))) == "MeLU(seed=5)"
    preset = small_preset("MeLU").fit(data)
    ann, twin_ann = (m.adapt([1, 2], [5, 3]) for m in (preset, copied(preset)))
    np.testing.assert_array_equal(ann.predict([3, 4]), twin_ann.predict([3, 4]))
