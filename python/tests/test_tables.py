"""Tables in files: what is a number, what is a text, and what is refused."""

import gzip
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarec import tables
from metarec.errors import InvalidValueError, MissingDependencyError
from metarec.frames import read_columns


def written(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def column(tmp_path, *values):
    lines = "".join(f"{value},x\n" for value in values)
    return read_columns(written(tmp_path, f"a,b\n{lines}"), "t")["a"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "0"], "int64"),
        (["1.5", "2", "-.5", "1e3"], "float64"),
        (["007", "8"], "object"),  # a postcode
        (["034545104X", "155061224"], "object"),  # an ISBN
        (["1", "NA2"], "object"),
        (["1234567890123456789", "1"], "object"),  # more digits than a number keeps
        (["true", "FALSE"], "bool"),
        (["true", "maybe"], "object"),
        (["2020-01-31", "2020-02-01"], "object"),
        (["inf", "1"], "object"),
        (["+1", "2"], "object"),
        (["1_000", "2"], "object"),
        (["١", "2"], "object"),  # a digit, but not of ours
    ],
)
def test_a_column_has_the_type_that_all_its_values_have(tmp_path, values, kind):
    found = column(tmp_path, *values)
    assert found.values.dtype == kind and not found.null.any()
    if kind == "object":
        assert found.values.tolist() == values


@pytest.mark.parametrize("nothing", ["", "NA", "N/A", "NaN", "nan", "NULL", "None", "\\N"])
def test_missing_numbers(tmp_path, nothing):
    found = column(tmp_path, "1", nothing, "3")
    assert found.values.dtype == np.int64 and found.null.tolist() == [False, True, False]
    found = column(tmp_path, nothing, "2.5")
    assert np.isnan(found.values[0]) and found.null.tolist() == [True, False]


def test_in_a_column_of_texts_only_nothing_is_missing(tmp_path):
    found = column(tmp_path, "NA", "Norway", "")
    assert found.values.tolist() == ["NA", "Norway", None]
    assert found.null.tolist() == [False, False, True]
    assert column(tmp_path, "", "").null.all()


@given(st.lists(st.one_of(st.none(), st.integers(-(10**17), 10**17)), min_size=1))
def test_whole_numbers_come_back(values):
    text = "".join(f"{'' if value is None else value}\0" for value in values)
    found = tables.typed(text, len(values))
    assert found.null.tolist() == [value is None for value in values]
    if not found.null.all():
        known = [value for value in values if value is not None]
        assert found.values.dtype == np.int64 and found.values[~found.null].tolist() == known


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1))
def test_numbers_come_back(values):
    text = "".join(f"{value!r}\0" for value in values)
    found = tables.typed(text, len(values))
    if found.values.dtype != object:  # repr has more than 15 digits before the point of some
        assert found.values.tolist() == values


@given(st.lists(st.text(st.characters(exclude_characters="\0")), min_size=1))
def test_texts_come_back(values):
    found = tables.typed("".join(f"{value}\0" for value in values), len(values))
    if found.values.dtype == object:
        assert found.values.tolist() == [value or None for value in values]


def test_separators_quotes_and_ends_of_lines(tmp_path):
    wanted = {"a": [1, 2], "b": ["x, y", 'say "hi"\nagain']}
    for text in (
        'a,b\r\n1,"x, y"\r\n2,"say ""hi""\nagain"\r\n',
        'a;b\n1;x, y\n2;"say ""hi""\nagain"',
        'a\tb\n1\tx, y\n\n2\t"say ""hi""\nagain"\n\n',
        'a, b\n1, "x, y"\n2, "say ""hi""\nagain"\n',
    ):
        found = read_columns(written(tmp_path, text), "t")
        assert {name: each.values.tolist() for name, each in found.items()} == wanted


def test_encodings_and_compression(tmp_path):
    text = "título,n\nEl Niño,1\n"
    path = written(tmp_path, text, "t.csv.gz")
    path.write_bytes(gzip.compress(text.encode()))
    for each in (path, written(tmp_path, "\ufeff" + text)):
        assert read_columns(each, "t")["título"].values.tolist() == ["El Niño"]
    with pytest.warns(UserWarning, match="t: .* is not UTF-8, read as Latin-1"):
        found = read_columns(written(tmp_path, text, encoding="latin-1"), "t")
    assert found["título"].values.tolist() == ["El Niño"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", r"expected 2 fields, got 3: \['1', '2', '3'\]"),
        ("a,b\n1\n", "expected 2 fields, got 1"),
        ("", "no header line"),
        ("\n\n", "no header line"),
        ("a,a\n1,2\n", "two columns 'a'"),
        ("1,2\n3,4\n", "begins with numbers"),
        ("a,b\n1,x\0y\n", "zero byte"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(InvalidValueError, match=message) as caught:
        read_columns(path, "ratings")
    assert str(path) in str(caught.value) and str(caught.value).startswith("ratings")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InvalidValueError, match=r"ratings: there is no file .*nothing\.csv"):
        read_columns(tmp_path / "nothing.csv", "ratings")
    with pytest.raises(InvalidValueError, match="there is no file"):
        read_columns(tmp_path, "ratings")
    with pytest.raises(InvalidValueError, match=r"another ending .*\.csv, .*\.parquet"):
        read_columns(written(tmp_path, "a\n1\n", "t.xlsx"), "ratings")
    for name in ("t.csv.gz", "t.parquet"):
        with pytest.raises(InvalidValueError, match=f"ratings: .*{name} cannot be read"):
            read_columns(written(tmp_path, "a\n1\n", name), "ratings")


def test_many_rows_pass_the_blocks(tmp_path):
    count = 2 * tables._ROWS + 3
    path = written(tmp_path, "a,b\n" + "".join(f"{n},{n / 4}\n" for n in range(count)))
    found = read_columns(path, "t")
    np.testing.assert_array_equal(found["a"].values, np.arange(count))
    np.testing.assert_array_equal(found["b"].values, np.arange(count) / 4)


FRAME = {"user": [1, 2, 3], "name": ["a", None, "c"], "x": [0.5, None, 2.5]}


@pytest.mark.parametrize("reader", tables.READERS)
def test_parquet_by_every_library(tmp_path, monkeypatch, reader):
    pytest.importorskip(reader)
    path = tmp_path / "t.parquet"
    pl.DataFrame(FRAME).write_parquet(path)
    monkeypatch.setattr(tables, "READERS", {reader: tables.READERS[reader]})
    found = read_columns(str(path), "t")
    assert found["user"].values.tolist() == [1, 2, 3]
    assert found["name"].values.tolist() == ["a", None, "c"]
    assert found["x"].null.tolist() == [False, True, False]


def test_parquet_without_a_library_names_what_to_install(tmp_path, monkeypatch):
    path = written(tmp_path, "", "t.parquet")
    monkeypatch.setattr(tables, "READERS", {"nothing_of_this_name": ("", "")})
    with pytest.raises(MissingDependencyError, match=r"pip install 'metarec\[parquet\]'"):
        read_columns(path, "t")


def test_csv_agrees_with_pandas(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"n": rng.integers(-9, 9, 500), "x": rng.normal(size=500), "t": rng.choice(list("ab"), 500)}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = read_columns(tmp_path / "t.csv", "t")
    for name in frame:
        assert found[name].values.tolist() == frame[name].tolist()


def test_a_csv_file_needs_no_library(tmp_path):
    path = written(tmp_path, "user,item,rating\n1,a,5\n")
    code = (
        "import sys; sys.modules.update(pandas=None, polars=None, pyarrow=None, duckdb=None)\n"
        "from metarec.dataset import Dataset\n"
        f"print(Dataset.from_frames({str(path)!r}))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert out.stdout.startswith("Dataset(1 ratings")
