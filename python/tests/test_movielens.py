"""Loaders: the official file formats, and the real files where METAREC_DATA has them."""

import numpy as np
import pytest
from real_data import real

from metarec.datasets import movielens_1m, movielens_100k, movielens_latest_small
from metarec.errors import InvalidValueError


@pytest.fixture
def ml_1m(tmp_path):
    (tmp_path / "ratings.dat").write_text(
        "1::10::5::978300760\r\n1::20::3::978302109\r\n2::10::4::1\r\n"
    )
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::55117-1234\n")
    movies = "10::Café, Le (1995)::Animation|Children's\n20::M (1931)::Drama\n30::Café, Le::Drama\n"
    (tmp_path / "movies.dat").write_bytes(movies.encode("latin-1"))
    return tmp_path


def test_movielens_1m_official_files(ml_1m):
    data = movielens_1m(ml_1m)
    assert data.user_ids(data.user).tolist() == [1, 1, 2]
    assert data.item_ids(data.item).tolist() == [10, 20, 10]
    assert data.rating.tolist() == [5, 3, 4]
    assert data.timestamp.tolist() == [978300760, 978302109, 1]
    assert list(data.users.fields) == ["gender", "age", "occupation", "zipcode"]
    assert list(data.items.fields) == ["genre"]
    assert data.items["genre"].offsets.tolist() == [0, 2, 3, 4]
    assert data.item_columns["title"].tolist() == ["Café, Le", "M", "Café, Le"]
    np.testing.assert_array_equal(data.item_columns["year"], [1995, 1931, np.nan])
    assert data.user_features({"age": 56, "zipcode": "55117"})["zipcode"].ids.tolist() == [1]
    assert data.folder == ml_1m


def test_movielens_1m_with_melus_extra_information(ml_1m):
    lines = [
        "10::Café::1995::G::1 May 1995::Drama, War::Jo Doe (co-director), Al Poe::W::Zoe, Jo Doe"
        "::Text: a::http://x",
        "20::M::1931::UNRATED::N/A::N/A::nan::N/A::N/A::N/A::N/A",
    ]
    (ml_1m / "movies_extrainfos.dat").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = movielens_1m(ml_1m)
    kinds = {name: field.kind for name, field in data.items.fields.items()}
    assert kinds == {"rate": "categorical", "genre": "bag", "director": "bag", "actor": "bag"}
    assert data.items["director"].offsets.tolist() == [0, 2, 2]
    assert data._items.values["director"].values.tolist() == ["Jo Doe", "Al Poe"]
    assert data.items["genre"].offsets.tolist() == [0, 2, 2]
    assert data.item_columns["year"].tolist() == [1995, 1931]


def test_times_of_zero_are_none(ml_1m):
    (ml_1m / "ratings.dat").write_text("1::10::5::0\n2::10::4::0\n")
    assert movielens_1m(ml_1m).timestamp is None


def test_movielens_100k_official_files(tmp_path):
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n186\t302\t4\t891717742\n")
    (tmp_path / "u.user").write_text("196|49|M|writer|55105\n186|39|F|executive|00000\n")
    (tmp_path / "u.genre").write_text("unknown|0\nAction|1\nDrama|2\n\n")
    items = (
        "242|Kolya (1996)|24-Jan-1997||http://x|0|0|1\n"
        "302|unknown||||1|0|0\n"
        "303|É (1990)|01-Jan-1990|||0|1|1\n"
    )
    (tmp_path / "u.item").write_bytes(items.encode("latin-1"))
    data = movielens_100k(tmp_path)
    assert data.rating.tolist() == [3, 4] and data.timestamp.tolist() == [881250949, 891717742]
    assert list(data.users.fields) == ["age", "gender", "occupation", "zipcode"]
    assert data._items.values["genre"].values.tolist() == ["Drama", "Action"]
    assert data.items["genre"].ids.tolist() == [0, 1, 0]
    assert data.items["genre"].offsets.tolist() == [0, 1, 1, 3]
    np.testing.assert_array_equal(data.item_columns["year"], [1997, np.nan, 1990])


def test_movielens_latest_small_official_files(tmp_path):
    (tmp_path / "ratings.csv").write_bytes(
        b"userId,movieId,rating,timestamp\r\n1,1,4.0,964982703\r\n2,3,0.5,964981247\r\n"
    )
    (tmp_path / "movies.csv").write_bytes(
        b"movieId,title,genres\r\n1,Toy Story (1995),Adventure|Comedy\r\n"
        b'3,"American President, The (1995)",(no genres listed)\r\n'
    )
    data = movielens_latest_small(tmp_path)
    assert data.rating.tolist() == [4, 0.5] and data.users is None
    assert data.item_columns["title"].tolist() == ["Toy Story", "American President, The"]
    assert data.items["genre"].offsets.tolist() == [0, 2, 2]


def test_a_missing_or_broken_file_is_named(ml_1m):
    (ml_1m / "ratings.dat").write_text("1::10::5::0\n1::ten::5::0\n")
    with pytest.raises(InvalidValueError, match=r"ratings.dat: not in the official format.*ten"):
        movielens_1m(ml_1m)
    (ml_1m / "ratings.dat").write_text("1::10::5\n")
    with pytest.raises(InvalidValueError, match=r"ratings.dat: expected 4 columns, got 3"):
        movielens_1m(ml_1m)
    (ml_1m / "users.dat").write_text("1::F::1::10::48067\n2::M\n")
    with pytest.raises(InvalidValueError, match=r"users.dat: line 2: expected 5 fields, got 2"):
        movielens_1m(ml_1m)
    with pytest.raises(InvalidValueError, match=r"folder: .*users.dat: No such file"):
        movielens_1m(ml_1m / "nowhere")


def test_the_folder_is_found_through_the_environment(ml_1m, tmp_path_factory, monkeypatch):
    shared = tmp_path_factory.mktemp("shared")
    (shared / "ml-1m").symlink_to(ml_1m)
    monkeypatch.setenv("METAREC_DATA", str(shared))
    assert len(movielens_1m()) == 3


@real("ml-1m")
def test_real_movielens_1m():
    data = movielens_1m()
    assert len(data) == 1_000_209 and data.user_count == 6040
    assert len(np.unique(data.item)) == 3704
    assert data.scale == (1, 5)
    # Four pairs occur twice and stay.
    pairs = data.user.astype(np.int64) * data.item_count + data.item
    assert len(np.unique(pairs)) == len(data) - 4
    sizes = {name: field.size for name, field in data.items.fields.items()}
    # MeLU's own vocabularies have one more, for the missing value, where there is one.
    assert sizes == {"rate": 6, "genre": 24, "director": 2185, "actor": 7977}
    assert {n: f.size for n, f in data.users.fields.items()} == {
        "gender": 2,
        "age": 7,
        "occupation": 21,
        "zipcode": 3402,
    }


@real("ml-100k")
def test_real_movielens_100k():
    data = movielens_100k()
    assert (len(data), data.user_count, data.item_count) == (100_000, 943, 1682)
    assert data.items["genre"].size == 18 and data.timestamp.min() == 874_724_710


@real("ml-latest-small")
def test_real_movielens_latest_small():
    data = movielens_latest_small()
    assert (len(data), data.user_count, data.item_count) == (100_836, 610, 9742)
    assert data.scale == (0.5, 5) and data.items["genre"].size == 19


def test_without_a_folder_it_is_fetched_from_the_publisher(monkeypatch, ml_1m):
    asked = []

    def fetch(url, name):
        asked.append((url, name))
        return ml_1m

    monkeypatch.delenv("METAREC_DATA", raising=False)
    monkeypatch.setattr("metarec.datasets.download.fetch_archive", fetch)
    assert len(movielens_1m()) == 3
    assert asked == [("https://files.grouplens.org/datasets/movielens/ml-1m.zip", "ml-1m")]
