"""Files keep every bit, and what is not a good file is refused."""

import os
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner, small_preset
from rewriting import described, rewrite
from safetensors.numpy import load_file, save_file

import metarec as mr
from metarec.errors import InvalidTypeError, InvalidValueError

PRESETS = ("MetaLearner", "MeLU", "FineTune")


def with_ids(kind):
    """A small data set with ids of the given type."""
    data = mr.datasets.synthetic(users=60, items=30, seed=0)
    users, items = ([f"{n} é" if kind is str else n * 7 for n in range(c)] for c in (60, 30))
    return mr.Dataset.from_frames(
        {
            "user": [users[code] for code in data.user],
            "item": [items[code] for code in data.item],
            "rating": data.rating,
        },
        users={"user": users, "age": [kind(n % 5) for n in range(60)]},
        items={
            "item": items,
            "genre": [f"{n % 3}|{n % 4}" for n in range(30)],
            "price": np.linspace(0, 1, 30),
            "ids": [[n % 2] for n in range(30)],
            "values": [kind(n % 7) for n in range(30)],
        },
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.metarec"


@pytest.mark.parametrize("kind", [int, str])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_model_of_a_data_set_comes_back(name, dtype, kind, path):
    data = with_ids(kind)
    model = small_preset(name, dtype=dtype, seed=3).fit(data)
    model.save(path)
    loaded = mr.load(path)
    assert type(loaded) is type(model) and repr(loaded) == repr(model)
    assert loaded.history_ == model.history_ and loaded.steps == model.steps
    assert same_bits(copies(model), copies(loaded))
    items = data.item_ids(range(5)).tolist()
    for user in (None, {"age": kind(2)}, {"age": kind(99)}):
        ann, twin = (m.adapt(items[:3], [5, 1, 3], user) for m in (model, loaded))
        np.testing.assert_array_equal(ann.predict(items), twin.predict(items))
        best, again = ann.recommend(k=30), twin.recommend(k=30)
        assert list(best) == list(again)
        assert [type(item) for item, _ in best] == [type(item) for item, _ in again]
    with pytest.raises(InvalidValueError, match=r"\['age'\]"):
        loaded.adapt(user={"agee": 1})


@pytest.mark.parametrize("users", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_of_a_task_set_comes_back(dtype, users, path):
    tasks = random_tasks(user_fields=("age", "likes", "profile") if users else None)
    model = small_learner(
        dtype=dtype,
        algorithm=mr.MetaSGD(inner_steps=2),
        episodes=mr.Episodes(support=(0, 3), query=2),
        clip_norm=np.float64(1.5),
        epochs=np.int64(2),
    ).fit(tasks)
    model.save(path)
    loaded = mr.load(path)
    np.testing.assert_array_equal(loaded.predict(tasks), model.predict(tasks))
    ann, twin = (m.adapt([1, 2], [1, -1]).recommend(k=12) for m in (model, loaded))
    assert list(ann) == list(twin)
    assert loaded.get_params(deep=False)["episodes"] == model.episodes
    assert loaded.algorithm == model.algorithm


@pytest.mark.parametrize("optimizer", [mr.SGD(), mr.Adam()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_continues_with_the_same_bits(optimizer, dtype, path):
    tasks = random_tasks(tasks=9)
    batches = [tasks.take(ids) for ids in ([0, 1], [5, 6, 7], [2], [8, 3, 4], [0, 8])]
    model = small_learner(optimizer=optimizer, dtype=dtype)
    for batch in batches[:3]:
        model.partial_fit(batch)
    model.save(path)
    loaded = mr.load(path)
    for batch in batches[3:]:
        assert model.partial_fit(batch) == loaded.partial_fit(batch)
    assert same_bits(copies(model), copies(loaded))
    assert loaded.steps == 5


def test_a_rate_that_was_reduced_stays_reduced(path):
    schedule = mr.ReduceOnPlateau(factor=0.5, final=0.1)
    model = small_learner(epochs=8, schedule=schedule, optimizer=mr.Adam(lr=0.3))
    tasks = random_tasks(tasks=9)
    model.fit(tasks, random_tasks(1))
    assert model._native.rate_share < 1
    model.save(path)
    loaded = mr.load(path)
    assert loaded._native.rate_share == model._native.rate_share
    assert model.partial_fit(tasks) == loaded.partial_fit(tasks)
    assert same_bits(copies(model), copies(loaded))


def test_saving_does_not_change_the_model(path):
    tasks = random_tasks()
    one, other = (small_learner().initialize(tasks) for _ in range(2))
    for number in range(4):
        one.partial_fit(tasks.take([number]))
        one.save(path)
        other.partial_fit(tasks.take([number]))
    assert same_bits(copies(one), copies(other))


def test_a_loaded_model_can_be_saved_and_fitted(path):
    data = with_ids(str)
    small_preset("MeLU").fit(data).save(path)
    first = path.read_bytes()
    mr.load(path).save(path)
    assert path.read_bytes() == first
    model = mr.load(path).fit(data)
    assert same_bits(copies(model), copies(mr.load(path)))  # of the same seed


# --- what cannot be written -----------------------------------------------------------------------


def test_a_failing_save_leaves_the_old_file(path, monkeypatch):
    model = small_learner().initialize(random_tasks())
    model.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(os, "fsync", fail)
        model.save(path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        model.save(path)
    model.set_params(loss=object())
    with pytest.raises(InvalidTypeError, match="loss: a object cannot be saved"):
        model.save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    model = small_learner().initialize(random_tasks())
    with pytest.raises(OSError, match="nowhere"):
        model.save(tmp_path / "nowhere" / "model.metarec")
    with pytest.raises(OSError):
        model.save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nothing\.metarec"):
        mr.load(tmp_path / "nothing.metarec")
    assert list(tmp_path.iterdir()) == []


def test_paths_may_be_strings_and_files_follow_the_umask(tmp_path):
    old = os.umask(0o077)
    try:
        small_learner().initialize(random_tasks()).save(str(tmp_path / "a"))
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert mr.load(str(tmp_path / "a")).steps == 0


def test_ids_that_no_file_can_hold_are_named(path):
    data = mr.Dataset.from_arrays([1, 1, 2, 2], [object(), object()] * 2, [5, 4, 3, 2])
    model = small_preset("MeLU").fit(data)
    with pytest.raises(InvalidTypeError, match=r"item\.ids.*: a file holds no object, only int"):
        model.save(path)
    assert not path.exists()


def test_a_class_of_ones_own_is_refused_when_saving(path):
    class Mine(mr.MeLU):
        pass

    with pytest.raises(InvalidTypeError, match="Mine"):
        Mine().initialize(random_tasks()).save(path)


# --- what is no good file -------------------------------------------------------------------------


@pytest.fixture
def saved(path):
    small_learner(epochs=1).fit(with_ids(int)).save(path)
    return path


def test_every_truncation_is_refused(saved):
    whole = saved.read_bytes()
    for size in [*range(0, 64, 7), *range(64, len(whole), 997), len(whole) - 1]:
        saved.write_bytes(whole[:size])
        with pytest.raises(InvalidValueError, match=r"model\.metarec"):
            mr.load(saved)
    saved.write_bytes(whole + b"more")
    with pytest.raises(InvalidValueError):
        mr.load(saved)


def test_damaged_bytes_are_refused_or_harmless(saved):
    whole = saved.read_bytes()
    random = np.random.default_rng(0)
    (size,) = struct.unpack("<Q", whole[:8])
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[random.integers(0, size + 8)] = random.integers(0, 256)
        saved.write_bytes(damaged)
        try:
            model = mr.load(saved)
        except InvalidValueError:
            continue
        model.adapt([7], [5])


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04N.", b"\xff" * 100, b"{}" * 50])
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(InvalidValueError, match=r"model\.metarec: not a model of metarec"):
        mr.load(path)


def test_safetensors_of_others_are_refused(path):
    save_file({"x": np.zeros(3)}, path, metadata={"format": "pt"})
    with pytest.raises(InvalidValueError, match="not a model of metarec"):
        mr.load(path)


def test_a_newer_format_says_so(saved):
    rewrite(saved, about=lambda about: about | {"format": 3, "version": "9.9"})
    with pytest.raises(InvalidValueError, match=r"format 3, .* metarec 9\.9.* up to 2"):
        mr.load(saved)


OLD = Path(__file__).parent / "files" / "format-1.metarec"


def test_a_file_of_the_first_format_is_read(path):
    model = mr.load(OLD)
    assert described(OLD)["format"] == 1 and "schema" not in described(OLD)
    assert model.steps == 6 and [row["epoch"] for row in model.history_] == [1, 2]
    # As the version that wrote it predicted.
    scores = model.adapt([100, 103], [5, 1], {"age": 2}).predict(range(100, 108))
    wanted = [3.0888298, 3.1021028, 3.1160986, 3.2258964, 3.2789790, 3.2531652, 3.407325, 3.4160457]
    np.testing.assert_allclose(scores, wanted, rtol=1e-5)
    model.save(path)
    assert described(path)["format"] == 2
    np.testing.assert_array_equal(
        mr.load(path).adapt([100, 103], [5, 1], {"age": 2}).predict(range(100, 108)), scores
    )


def test_every_flipped_bit_is_found(saved):
    whole = saved.read_bytes()
    random = np.random.default_rng(1)
    (size,) = struct.unpack("<Q", whole[:8])
    for place in random.integers(size + 8, len(whole), 200):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        saved.write_bytes(damaged)
        with pytest.raises(InvalidValueError, match=r"model\.metarec: damaged; not the content"):
            mr.load(saved)
    saved.write_bytes(whole)
    rewrite(saved, about=lambda about: put(about, "learned", "steps", 7), sealed=False)
    with pytest.raises(InvalidValueError, match="damaged; not the description"):
        mr.load(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_refused(saved, value):
    def spoilt(arrays):
        arrays["parameter/head.bias"][0] = value
        return arrays

    rewrite(saved, arrays=spoilt)
    with pytest.raises(InvalidValueError, match=r"damaged; .*parameter/head\.bias.*finite number"):
        mr.load(saved)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**6,
        '{"a":' * 10**5 + "1" + "}" * 10**5,
        '{"format": 2, "more": [' + "[]," * (6 * 10**6) + "[]]}",
        '{"format": ' + "9" * 10**5 + "}",
        '{"format": true, "class": "MeLU"}',
        '{"format": -1}',
        "null",
        '"' + "a" * 100 + '"',
        "NaN",
    ],
    ids=lambda text: f"{text[:14]} {len(text)}",
)
def test_bombs_in_the_description_are_refused(path, text):
    save_file({"x": np.zeros(3)}, path, metadata={"metarec": text})
    with pytest.raises(InvalidValueError, match=r"model\.metarec: (not a model|damaged)"):
        mr.load(path)


def test_options_ask_for_no_more_memory_than_the_file_has_numbers(saved):
    # It would be 1.6 GB, and with the optimizer's state three times as much.
    rewrite(
        saved,
        about=lambda about: put(about, "params", "backbone", "options", "hidden", [20_000, 20_000]),
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidValueError, match=r"damaged; .*parameters: .* wanted at most"):
        mr.load(saved)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200_000  # kB


def test_a_model_that_is_too_large_to_describe_is_refused_when_saved(path):
    model = small_learner().initialize(random_tasks())
    model.history_ = [{"epoch": 1, "loss": 0.0}] * 10**6
    with pytest.raises(InvalidValueError, match=r"model\.metarec: a description of"):
        model.save(path)
    assert not path.exists()


def put(about, *keys_and_value):
    """Change one place deep inside."""
    *keys, last, value = keys_and_value
    inner = about
    for key in keys:
        inner = inner[key]
    inner[last] = value
    return about


@pytest.mark.parametrize(
    "place",
    [
        ("class", "Path"),
        ("class", []),
        ("class", "__class__"),
        ("params", 3),
        ("params", {"nonsense": 1}),
        ("params", "loss", {"$component": "Dataset", "options": {}}),
        ("params", "backbone", "options", "hidden", [10**9, 10**9, 10**9]),
        ("params", "backbone", "options", "embedding_dim", 2**53),
        ("params", "backbone", "options", "hidden", [7]),
        ("params", "batch_size", -1),
        ("params", "dtype", "float64"),
        ("learned", None),
        ("learned", "steps", -1),
        ("learned", "steps", 2**80),
        ("learned", "steps", "many"),
        ("learned", "rate_share", 0.5),
        ("learned", "rate_share", "much"),
        ("learned", "history", 3),
        ("learned", "data", {}),
        ("learned", "data", "items", "fields", []),
        ("learned", "data", "items", "fields", 0, "kind", "dense"),
        ("learned", "data", "items", "fields", 0, "size", 10**12),
        ("learned", "data", "items", "fields", 0, "size", -1),
        ("learned", "data", "items", "ids", "float"),
        ("learned", "data", "items", "ids", "object"),
        ("learned", "data", "users", "values", {"age": "str"}),
    ],
)
def test_hostile_descriptions_are_refused(saved, place):
    rewrite(saved, about=lambda about: put(about, *place))
    with pytest.raises(InvalidValueError, match=r"model\.metarec: damaged"):
        mr.load(saved)


def test_hostile_arrays_are_refused(saved):
    whole = saved.read_bytes()
    for name in load_file(saved):
        good = load_file(saved)[name]
        bad = [None, good[..., None].repeat(2, -1), good.astype(np.complex64)]
        if name.startswith("data/"):
            bad.append(np.full_like(good, 100))
        for value in bad:
            saved.write_bytes(whole)
            rest = {n: a for n, a in load_file(saved).items() if n != name}
            rewrite(saved, arrays=lambda _, r=rest, v=value, n=name: r if v is None else r | {n: v})
            try:
                model = mr.load(saved)
            except InvalidValueError as error:
                assert "model.metarec: " in str(error)
            else:  # ids and numbers may be anything of their type
                assert name.startswith("data/") and value.dtype == good.dtype
                model.adapt([100], [5]).recommend()


def test_loading_runs_nothing(saved):
    source = Path(mr.files.__file__).read_text() + Path(mr.encoding.__file__).read_text()
    assert "pickle" not in source.replace("Never pickle", "")
    assert "eval(" not in source and "import_module" not in source and "getattr" not in source
