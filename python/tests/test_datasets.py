"""Last.fm and Book-Crossing: the official file formats, and the real files."""

import numpy as np
import pytest
from real_data import real

from metarec import split
from metarec.datasets import book_crossing, hetrec_lastfm, movielens_100k
from metarec.errors import InvalidValueError
from metarec.evaluation import evaluate


@pytest.fixture
def lastfm(tmp_path):
    def write(name, text, encoding="utf-8"):
        (tmp_path / name).write_bytes(text.replace("\n", "\r\n").encode(encoding))

    write("user_artists.dat", "userID\tartistID\tweight\n2\t51\t13883\n2\t52\t690\n7\t51\t1\n")
    artists = (
        "id\tname\turl\tpictureURL\n51\tDuran\x85 Duran\thttp://a\t\n52\tM\u2028\tb\tc\n9\tX\t\t\n"
    )
    (tmp_path / "artists.dat").write_bytes(artists.encode())
    write("tags.dat", "tagID\ttagValue\n1\tmétal\n2\tpop\n", "latin-1")
    tagged = ["2\t51\t1\t1\t4\t2009", "7\t51\t1\t1\t5\t2009", "7\t51\t2\t1\t5\t2009"]
    # The same user twice is one user.
    tagged += ["2\t52\t2\t1\t4\t2009", "2\t52\t2\t1\t5\t2009", "2\t99\t2\t1\t1\t2009"]
    head = "userID\tartistID\ttagID\tday\tmonth\tyear\n"
    write("user_taggedartists.dat", head + "\n".join(tagged) + "\n")
    return tmp_path


def test_hetrec_lastfm_official_files(lastfm):
    data = hetrec_lastfm(lastfm)
    assert data.user_ids(data.user).tolist() == [2, 2, 7]
    assert data.item_ids(data.item).tolist() == [51, 52, 51]
    assert data.rating.tolist() == [1, 1, 1] and data.folder == lastfm
    assert hetrec_lastfm(lastfm, plays=True).rating.tolist() == [13883, 690, 1]
    assert {n: f.kind for n, f in data.items.fields.items()} == {
        "item": "categorical",
        "tag": "bag",
    }
    assert data._items.values["tag"].values.tolist() == ["métal"]
    assert data.items["tag"].offsets.tolist() == [0, 1, 1, 1]
    assert data.item_columns["name"].tolist() == ["Duran\x85 Duran", "M\u2028", "X"]
    (lastfm / "user_taggedartists.dat").unlink()
    assert list(hetrec_lastfm(lastfm).items.fields) == ["item"]


def test_broken_lastfm(lastfm, monkeypatch):
    (lastfm / "user_artists.dat").write_text("userID\tartistID\tweight\n2\tx\t1\n")
    with pytest.raises(InvalidValueError, match=r"user_artists.dat: not in the official format.*x"):
        hetrec_lastfm(lastfm)
    (lastfm / "user_artists.dat").write_text("userID\tartistID\tweight\n2\t1\n")
    with pytest.raises(InvalidValueError, match=r"line 2: expected 3 fields, got 2"):
        hetrec_lastfm(lastfm)
    monkeypatch.delenv("METAREC_DATA", raising=False)
    with pytest.raises(InvalidValueError, match=r"METAREC_DATA has no hetrec-lastfm; download"):
        hetrec_lastfm()


@pytest.mark.parametrize("official", [True, False])
def test_book_crossing_files(tmp_path, official):
    rows = [
        ("User-ID", "ISBN", "Book-Rating"),
        *(("7", "0034545104X", "5"), ("7", "155-061 224", "0"), ("8", "34545104x", "10")),
        *(("7", "34545104X", "9"), ("8", "1", "1")),
    ]
    people = [
        ("User-ID", "Location", "Age"),
        *(("7", "porto, porto, portugal", "37.0"), ("8", "n/a, ", "244")),
        *(("9", "x", ""), ("8", "again", "")),
    ][:4]
    for name, table in (("BX-Book-Ratings.csv", rows), ("BX-Users.csv", people)):
        if official:
            text = "\n".join(";".join(f'"{cell}"' for cell in row) for row in table)
        else:
            name = f"subset_{name}"
            cells = ([f'"{cell}"' if "," in cell else cell for cell in row] for row in table)
            text = "\n".join(map(",".join, cells))
        (tmp_path / name).write_text(text + "\n", encoding="latin-1")
    data = book_crossing(tmp_path)
    assert data.user_ids(data.user).tolist() == [7, 8, 8]
    assert data.item_ids(data.item).tolist() == ["34545104X", "34545104X", "1"]
    assert data.rating.tolist() == [5, 10, 1]
    assert data.user_columns["country"].tolist() == ["portugal", None]
    assert data.user_columns["age"].tolist() == ["30", None]
    assert list(data.items.fields) == ["item"]
    assert book_crossing(tmp_path, min_ratings=2).user_ids([0]).tolist() == [8]


@real("hetrec-lastfm")
def test_real_hetrec_lastfm():
    data = hetrec_lastfm()
    assert (len(data), data.user_count, data.item_count) == (92_834, 1892, 17_632)
    assert data.scale == (1, 1) and np.bincount(data.user).max() == 50


@real("book-crossing")
def test_real_book_crossing():
    data = book_crossing(min_ratings=13)
    assert data.scale == (1, 10) and np.bincount(data.user).min() == 13
    pairs = data.user.astype(np.int64) * data.item_count + data.item
    assert len(np.unique(pairs)) == len(data) > 15_000


@real("ml-100k")
def test_movielens_100k_by_time():
    """The support comes before the query, and there is one draw."""
    data = movielens_100k()
    new = lambda films: films["year"] >= 1997  # noqa: E731
    splits = split.cold_start(data, new_items=new, order="time", seed=0)
    for scenario in splits.values():
        rows, counts, support = scenario.rows(0)
        task = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        times = data.timestamp[rows]
        latest = np.maximum.reduceat(
            np.where(place < support[task], times, 0), np.cumsum(counts) - counts
        )
        assert (times[place >= support[task]] >= latest[task[place >= support[task]]]).all()
    report = evaluate([], splits, metrics=["mae"], support_sizes=(), resamples=50)
    bias = report.interval("bias", "new_user", "mae").value
    assert bias < report.interval("user_mean", "new_user", "mae").value
    assert report.info["split"]["order"] == "time"
