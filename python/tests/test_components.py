"""The parts of a learner are what the native library declares."""

import copy
import inspect
import json
import pickle

import pytest
from learners import random_tasks

import metarec as mr
from metarec import _metarec
from metarec.components import COMPONENTS
from metarec.errors import InvalidTypeError, MetarecError

SCHEMAS = [
    (role, schema)
    for role, schemas in json.loads(_metarec.schema()).items()
    if role != "learner"
    for schema in schemas
]
each = pytest.mark.parametrize(
    ("role", "schema"), SCHEMAS, ids=[schema["class"] for _, schema in SCHEMAS]
)


def test_there_are_the_parts_of_the_literature():
    wanted = {"MAML", "ANIL", "Reptile", "MetaSGD", "FeatureMLP", "SquaredError", "Adam", "SGD"}
    assert wanted <= set(COMPONENTS) <= set(dir(mr))
    with pytest.raises(AttributeError, match="NoSuchPart"):
        _ = mr.NoSuchPart


@each
def test_signature_documentation_and_defaults_follow_the_schema(role, schema):
    kind = getattr(mr, schema["class"])
    assert kind.__module__ == "metarec"
    assert kind.role == role
    parameters = inspect.signature(kind).parameters
    assert list(parameters) == [option["name"] for option in schema["options"]]
    part = kind()
    for option in schema["options"]:
        default = option["default"]
        default = tuple(default) if isinstance(default, list) else default
        name = option["name"]
        assert parameters[name].default == getattr(part, name) == default
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert option["doc"] in kind.__doc__
    assert kind.__doc__.startswith(schema["doc"])
    assert repr(part) == f"{schema['class']}()"
    assert part.get_params() == {n: p.default for n, p in parameters.items()}


@each
def test_equal_options_make_equal_parts(role, schema):
    kind = getattr(mr, schema["class"])
    assert kind() == kind()
    others = [other for other in COMPONENTS.values() if other is not kind]
    assert all(kind() != other() for other in others)
    for option in schema["options"]:
        changed = kind().set_params(**{option["name"]: 17})
        assert changed != kind() and changed == kind(**{option["name"]: 17})
        assert repr(changed) == f"{schema['class']}({option['name']}=17)"
    for copied in (copy.deepcopy(kind()), pickle.loads(pickle.dumps(kind()))):
        assert copied == kind()


@each
def test_a_wrong_option_is_named(role, schema):
    kind = getattr(mr, schema["class"])
    with pytest.raises(InvalidTypeError, match="nonsense"):
        kind(nonsense=1)
    for option in schema["options"]:
        model = mr.MetaLearner(**{role: kind(**{option["name"]: object()})})
        with pytest.raises(MetarecError, match=option["name"]):
            model.initialize(random_tasks())


@each
def test_a_name_stands_for_the_part_with_its_defaults(role, schema):
    tasks = random_tasks(binary=True)
    by_name = mr.MetaLearner(**{role: schema["name"]}).initialize(tasks)
    by_part = mr.MetaLearner(**{role: getattr(mr, schema["class"])()}).initialize(tasks)
    assert by_name.partial_fit(tasks) == by_part.partial_fit(tasks)
