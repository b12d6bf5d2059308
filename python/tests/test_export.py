"""An exported scorer gives the user's scores in ONNX Runtime."""

import json

import numpy as np
import pytest
from learners import fields_of, random_tasks, small_learner

import metarec as mr
from metarec.errors import InvalidTypeError, InvalidValueError, MissingDependencyError, StateError

onnxruntime = pytest.importorskip("onnxruntime", reason="needs metarec[onnx]")
pytest.importorskip("onnx", reason="needs metarec[onnx]")


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of constants that are inputs
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def scored(path, inputs):
    (scores,) = session(path).run(None, inputs)
    return scores


def users_of(model, tasks, seed=3):
    """Two users of a model that was fitted on tasks: items, labels, features."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, (2, 4)).astype(float)
    for each in range(2):
        user = None if tasks.users is None else tasks.users.row(each)
        yield model.adapt(random.integers(-1, tasks.items.rows, 4), labels[each], user)


ALGORITHMS = {
    "maml all": mr.MAML(inner_lr=0.1, inner_steps=2, adapt="all"),
    "maml decision": mr.MAML(inner_lr=0.1, inner_steps=3),
    "maml head": mr.MAML(inner_lr=0.1, adapt="head"),
    "anil": mr.ANIL(inner_lr=0.1),
    "meta-sgd": mr.MetaSGD(inner_lr=0.1),
    "reptile": mr.Reptile(inner_lr=0.1),
    "joint": mr.JointTraining(inner_lr=0.1),
    "ridge": mr.Ridge(),
    "bayesian": mr.BayesianLinear(),
}


LOSSES = ("squared_error", "logistic", "gaussian")
#: "bayesian" solves for the targets themselves, so not with "logistic".
COMBINED = [(a, b) for a in ALGORITHMS for b in LOSSES if (a, b) != ("bayesian", "logistic")]


@pytest.mark.parametrize(("algorithm", "loss"), COMBINED)
def test_scores_are_the_users(algorithm, loss, tmp_path):
    tasks = random_tasks(binary=True)
    model = small_learner(algorithm=ALGORITHMS[algorithm], loss=loss, dtype="float64").fit(tasks)
    rows = np.arange(-1, tasks.items.rows)
    first, second = users_of(model, tasks)
    mr.export.onnx(first, tmp_path / "first.onnx", replaceable=True)
    mr.export.onnx(second, tmp_path / "second.onnx")
    inputs = mr.export.onnx_inputs(tasks.items, rows)
    np.testing.assert_allclose(
        scored(tmp_path / "first.onnx", inputs), first.predict(rows), rtol=1e-9
    )
    wanted = second.predict(rows)
    assert not np.allclose(wanted, first.predict(rows))
    np.testing.assert_allclose(scored(tmp_path / "second.onnx", inputs), wanted, rtol=1e-9)
    # The second user's weights in the first user's model.
    inputs |= mr.export.onnx_weights(second)
    np.testing.assert_allclose(scored(tmp_path / "first.onnx", inputs), wanted, rtol=1e-9)


@pytest.mark.parametrize("hidden", [(), (5,)])
@pytest.mark.parametrize("user_fields", [None, ("age", "", "")])
@pytest.mark.parametrize("item_fields", [("genre", "", ""), ("", "tags", ""), ("", "", "text")])
def test_every_kind_of_field_alone(hidden, user_fields, item_fields, tmp_path):
    tasks = random_tasks(item_fields=item_fields, user_fields=user_fields)
    backbone = mr.FeatureMLP(embedding_dim=3, hidden=hidden)
    model = small_learner(backbone=backbone, dtype="float32").fit(tasks)
    (ann, _) = users_of(model, tasks)
    mr.export.onnx(ann, tmp_path / "ann.onnx")
    # Items that the model has not seen.
    others = fields_of(item_fields, 7, np.random.default_rng(9))
    inputs = mr.export.onnx_inputs(others)
    scores = scored(tmp_path / "ann.onnx", inputs)
    assert scores.dtype == np.float32
    model._items = others
    np.testing.assert_allclose(scores, ann.predict(np.arange(7)), rtol=1e-4, atol=1e-6)


def test_what_the_file_says(tmp_path):
    data = mr.datasets.synthetic(users=60, items=30, seed=0)
    model = mr.MeLU(epochs=1, seed=0).fit(data)
    ann = model.adapt([1, 2], [5, 1], {"age": 25})
    mr.export.onnx(ann, tmp_path / "ann.onnx")
    read = session(tmp_path / "ann.onnx")
    (scores,) = read.run(None, mr.export.onnx_inputs(data.items, [4, 2]))
    np.testing.assert_allclose(scores, ann.predict([4, 2]), rtol=1e-5)
    fields = json.loads(read.get_modelmeta().custom_metadata_map["metarec"])["items"]
    assert [each["name"] for each in fields] == list(data.items.fields)
    studio = next(each for each in fields if each["name"] == "studio")
    # An item's raw value, by the file alone, is the number that its input has.
    number = studio["values"].index(data.item_columns["studio"][4])
    assert mr.export.onnx_inputs(data.items)["items.studio"][4] == number
    assert [each.name for each in tmp_path.iterdir()] == ["ann.onnx"]


class TestRefused:
    def test_losses_and_backbones_that_are_no_plain_network(self, tmp_path):
        data = mr.datasets.synthetic(users=60, items=30, seed=0)
        content = mr.MetaLearner(backbone="content_encoder", algorithm="ridge", epochs=1).fit(data)
        with pytest.raises(InvalidValueError, match="FeatureMLP, got ContentEncoder"):
            mr.export.onnx(content.adapt(), tmp_path / "x")
        stars = mr.MetaLearner(loss="ordinal", epochs=1).fit(data)
        with pytest.raises(InvalidValueError, match="got Ordinal"):
            mr.export.onnx(stars.adapt(), tmp_path / "x")
        with pytest.raises(InvalidTypeError, match="user: expected AdaptedUser, got MetaLearner"):
            mr.export.onnx(stars, tmp_path / "x")
        with pytest.raises(InvalidTypeError, match="items: expected FeatureTable"):
            mr.export.onnx_inputs(data)
        assert not list(tmp_path.iterdir())

    def test_a_user_of_an_older_model(self, tmp_path):
        tasks = random_tasks()
        model = small_learner().fit(tasks)
        ann = model.adapt(user=tasks.users.row(0))
        model.fit(tasks)
        with pytest.raises(StateError, match="adapt again"):
            mr.export.onnx(ann, tmp_path / "x")

    def test_without_onnx(self, tmp_path, monkeypatch):
        tasks = random_tasks()
        ann = small_learner().fit(tasks).adapt(user=tasks.users.row(0))
        monkeypatch.setitem(__import__("sys").modules, "onnx", None)
        with pytest.raises(MissingDependencyError, match=r"metarec\[onnx\]"):
            mr.export.onnx(ann, tmp_path / "x")
