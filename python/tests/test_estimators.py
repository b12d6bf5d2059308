"""The manners of scikit-learn, in every public estimator: what has `fit` and `predict`."""

import copy
import inspect
import multiprocessing
import pickle

import numpy as np
import pytest
from learners import same_bits

import metarec as mr
from metarec.errors import InvalidValueError, NotFittedError
from metarec.parameters import Parametrised

#: Options with which they are small, and one option to change.
SMALL = {
    "MetaLearner": ({"epochs": 1, "backbone": mr.FeatureMLP(hidden=(4,))}, {"batch_size": 8}),
    "MeLU": ({"epochs": 1, "hidden": (4,)}, {"inner_lr": 0.5}),
    "FineTune": ({"epochs": 1, "hidden": (4,)}, {"adapts": "head"}),
    "ColdStart": ({"epochs": 1, "tokens": 8, "features": 4, "attention": 1}, {"lr": 0.5}),
    "BayesianMF": ({"rank": 2, "samples": 2, "burn_in": 2}, {"rank": 3}),
    "Blend": ({}, {"draws": 3}),
    "ALS": ({"rank": 2, "sweeps": 2}, {"penalty": 3.0}),
    "ImplicitALS": ({"rank": 2, "sweeps": 2}, {"alpha": 3.0}),
}


def found():
    """Every public class that fits and predicts."""
    spaces = (mr, mr.baselines)
    classes = {
        value
        for space in spaces
        for value in map(space.__dict__.get, space.__all__)
        if isinstance(value, type) and hasattr(value, "fit") and hasattr(value, "predict")
    }
    return sorted(classes, key=lambda kind: kind.__name__)


ESTIMATORS = found()


def make(kind):
    options = SMALL.get(kind.__name__, ({}, {}))[0]
    if kind is mr.Blend:
        small = {"samples": 2, "burn_in": 2}
        options = {"models": [mr.BayesianMF(rank=0, **small), mr.BayesianMF(rank=2, **small)]}
    return kind(**copy.deepcopy(options))


@pytest.fixture(scope="module")
def splits():
    data = mr.datasets.synthetic(users=60, items=40, seed=0)
    return mr.split.cold_start(data, min_ratings=4, query=2, seed=0)


@pytest.fixture(scope="module")
def fitted(splits):
    """Each of them, fitted once."""
    made = {}

    def of(kind):
        if kind not in made:
            if kind is mr.baselines.ImplicitALS:
                pytest.importorskip("implicit")
            made[kind] = make(kind).fit(splits.train, splits.validation)
        return made[kind]

    return of


def answers(model, splits):
    return np.asarray(model.predict(splits.new_user.tasks(draw=0)))


def test_they_are_all_here():
    names = {kind.__name__ for kind in ESTIMATORS}
    assert set(SMALL) <= names and {"Bias", "ItemKNN", "Popularity", "UserMedian"} <= names
    assert len(ESTIMATORS) >= 16


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_options_are_kept_as_they_are(kind):
    # No work when they are made: what is given is there again, the very objects.
    defaults = {
        name: option.default
        for name, option in inspect.signature(kind).parameters.items()
        if option.default is not inspect.Parameter.empty
    }
    assert all(p.kind is not p.VAR_KEYWORD for p in inspect.signature(kind).parameters.values())
    model = make(kind)
    given = model.get_params(deep=False)
    again = kind(**given)
    assert isinstance(model, Parametrised)
    assert all(again.get_params(deep=False)[name] is value for name, value in given.items())
    if kind is not mr.Blend:
        assert repr(kind().get_params(deep=False)) == repr(defaults)
    assert set(given) == set(inspect.signature(kind).parameters)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_options_can_be_set(kind):
    change = SMALL.get(kind.__name__, ({}, {}))[1]
    model = make(kind)
    assert model.set_params(**change) is model
    assert all(model.get_params()[name] == value for name, value in change.items())
    assert all(f"{name}={value!r}" in repr(model) for name, value in change.items())
    with pytest.raises(InvalidValueError, match=f"{kind.__name__}: no option 'nonsense'"):
        model.set_params(nonsense=1)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_repr_says_what_is_not_default_and_can_be_typed_in(kind):
    model = make(kind)
    names = vars(mr) | vars(mr.baselines) | mr.COMPONENTS
    assert repr(eval(repr(model), dict(names))) == repr(model)
    assert repr(model).startswith(f"{kind.__name__}(")


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_scikit_learns_clone(kind, fitted, splits):
    base = pytest.importorskip("sklearn.base")
    model = fitted(kind)
    twin = base.clone(model)
    assert type(twin) is kind and twin is not model
    assert repr(twin.get_params(deep=False)) == repr(model.get_params(deep=False))
    with pytest.raises(NotFittedError):
        twin.predict(splits.new_user.tasks(draw=0))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_before_fit_it_says_so(kind, splits):
    with pytest.raises(NotFittedError, match="fit") as caught:
        make(kind).predict(splits.new_user.tasks(draw=0))
    assert isinstance(caught.value, (AttributeError, RuntimeError))


COPIES = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "pickle2": lambda model, _: pickle.loads(pickle.dumps(model, protocol=2)),
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "joblib": lambda model, folder: through_joblib(model, folder),
}


def through_joblib(model, folder):
    joblib = pytest.importorskip("joblib")
    joblib.dump(model, folder / "model")
    return joblib.load(folder / "model")


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_copies_answer_with_the_same_bits(kind, how, fitted, splits, tmp_path):
    model = fitted(kind)
    twin = COPIES[how](model, tmp_path)
    assert type(twin) is kind and repr(twin) == repr(model)
    assert same_bits({"": answers(model, splits)}, {"": answers(twin, splits)})
    assert twin.trained_on_.fingerprint == model.trained_on_.fingerprint
    empty = COPIES[how](make(kind), tmp_path)
    with pytest.raises(NotFittedError):
        empty.predict(splits.new_user.tasks(draw=0))
    # The copy is its own: to fit it leaves the first as it was.
    before = answers(model, splits)
    twin.fit(splits.train.view(splits.train.rating > 1), splits.validation)
    assert same_bits({"": before}, {"": answers(model, splits)})


def answer(given):
    model, tasks = given
    return np.asarray(model.predict(tasks)), model


def test_other_processes_get_them_and_give_them_back(fitted, splits):
    tasks = splits.new_user.tasks(draw=0)
    models = [fitted(kind) for kind in ESTIMATORS if kind is not mr.baselines.ImplicitALS]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        results = pool.map(answer, [(model, tasks) for model in models])
    for model, (theirs, returned) in zip(models, results, strict=True):
        ours = np.asarray(model.predict(tasks))
        assert same_bits({"": ours}, {"": theirs})
        assert same_bits({"": ours}, {"": np.asarray(returned.predict(tasks))})


def test_ids_that_no_file_can_hold_are_copied():
    data = mr.Dataset.from_arrays([1, 1, 2, 2], [(1, "a"), (3, 4)] * 2, [5, 4, 3, 2])
    model = mr.MeLU(epochs=1, hidden=(4,)).fit(data)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        wanted = model.adapt([(3, 4)], [5]).recommend(k=2)
        found = twin.adapt([(3, 4)], [5]).recommend(k=2)
        assert list(found) == list(wanted) and found.items[0] == (1, "a")
