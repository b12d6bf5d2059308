"""A model that was saved and loaded is the same model."""

import numpy as np
import pytest

import metarec as mr


@pytest.fixture(scope="module")
def data():
    return mr.datasets.synthetic(users=80, items=40, seed=0)


@pytest.mark.parametrize("episodes", [None, mr.Episodes(support=(0, 5), query=4)])
def test_options_and_predictions_survive(data, tmp_path, episodes):
    model = mr.MeLU(hidden=(8,), episodes=episodes, epochs=1, seed=3).fit(data)
    model.save(tmp_path / "m")
    again = mr.load(tmp_path / "m")
    assert repr(again) == repr(model) and again.get_params() == model.get_params()
    given = {"items": [1, 2, 3], "ratings": [5, 1, 4], "user": {"age": 25}}
    np.testing.assert_array_equal(
        again.adapt(**given).predict(range(40)), model.adapt(**given).predict(range(40))
    )


def test_components_survive(data, tmp_path):
    algorithm = mr.MetaSGD(inner_lr=0.02, inner_steps=2, adapt="all")
    model = mr.MetaLearner(algorithm=algorithm, optimizer=mr.SGD(lr=0.1), epochs=1).fit(data)
    model.save(tmp_path / "m")
    again = mr.load(tmp_path / "m")
    assert again.get_params() == model.get_params()
    for name, values in model.parameters().items():
        np.testing.assert_array_equal(again.parameters()[name], values)


def test_training_goes_on_as_if_never_saved(data, tmp_path):
    model = mr.MeLU(hidden=(8,), episodes=mr.Episodes(query=5), epochs=1).fit(data)
    scenario = mr.split.cold_start(data, seed=0, validation=0).new_user.tasks()
    model.save(tmp_path / "m")
    again = mr.load(tmp_path / "m")
    assert again.steps == model.steps
    assert again.partial_fit(scenario) == model.partial_fit(scenario)
    for name, values in model.parameters().items():
        np.testing.assert_array_equal(again.parameters()[name], values)


def test_what_is_no_model(tmp_path):
    with pytest.raises(FileNotFoundError):
        mr.load(tmp_path / "nothing")
    (tmp_path / "text").write_text("no model")
    with pytest.raises(mr.MetarecError, match="not a model of metarec"):
        mr.load(tmp_path / "text")
