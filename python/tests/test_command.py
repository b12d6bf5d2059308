"""The command itself, as somebody runs it: in a process of its own, on small files."""

import argparse
import csv
import os
import subprocess
import sys

import numpy as np
import pytest

import metarec as mr
from metarec.command import main, models

QUICK = ["--draws", "1", "--set", "epochs=1"]


def run(*arguments, cwd=None, code=0):
    environment = os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-m", "metarec", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def refused(*arguments, cwd=None):
    """Return the one line that is said of what is wrong."""
    said = [line for line in run(*arguments, cwd=cwd, code=2).stderr.splitlines() if line]
    assert len(said) == 1 and said[0].startswith("metarec: error: "), said
    return said[0].removeprefix("metarec: error: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("files")
    data = mr.datasets.synthetic(users=120, items=80, seed=0)
    stars = {"userId": data.user, "movieId": data.item, "rating": data.rating.astype(int)}
    movies = {
        "movieId": range(80),
        "title": [f"Film {n}" for n in range(80)],
        "genres": ["|".join(genres) for genres in data.item_columns["genre"]],
    }
    people = {"userId": range(120), "age": [20 + n % 40 for n in range(120)]}
    for name, table in (("ratings", stars), ("movies", movies), ("people", people)):
        with open(place / f"{name}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(table)
            writer.writerows(zip(*table.values(), strict=True))
    (place / "history.csv").write_text("movieId,rating\n1,5\n2,1\n")
    run("train", "ratings.csv", "--items", "movies.csv", "--users", "people.csv",
        "--set", "epochs=1", "--out", "m.metarec", cwd=place)  # fmt: skip
    return place


def test_help_teaches():
    done = run("--help")
    for command in ("evaluate", "train", "recommend", "info"):
        assert f"metarec {command} " in done.stdout
        text = run(command, "--help").stdout
        assert "examples:\n" in text and f"  metarec {command} " in text
        assert max(map(len, text.splitlines())) <= 100
    assert run("--version").stdout == f"metarec {mr.__version__}\n"


def test_evaluate_writes_a_report_and_a_picture(folder):
    done = run(
        *("evaluate", "ratings.csv", "--items", "movies.csv", "--users", "people.csv"),
        *("--report", "r.html", "--plot", "r.png", *QUICK),
        cwd=folder,
    )
    assert "ratings  userId   int      user id" in done.stdout
    assert "rows came, all are kept" in done.stdout
    assert "title    str      content" in done.stdout and "bucketise(10)" in done.stdout
    assert "new_user: " in done.stdout and "ColdStart is " in done.stdout and "bias" in done.stdout
    assert (folder / "r.html").read_text().count("<table>") > 3
    assert (folder / "r.png").read_bytes().startswith(b"\x89PNG")
    assert done.stderr == ""


def test_evaluate_several_models_and_says_so_in_json(folder):
    models = ("--model", "melu", "--model", "item-knn")
    run("evaluate", "ratings.csv", *models, "--metric", "mae", "--report", "r.json", "--draws", 1,
        cwd=folder)  # fmt: skip
    report = mr.Report.load(folder / "r.json")
    assert report.models == ["MeLU", "ItemKNN"] and "bias" in report.floors
    shown = run("info", "r.json", cwd=folder).stdout
    assert "MeLU" in shown and "mae" in shown


def test_the_command_measures_what_python_measures(folder):
    run(
        "evaluate", "ratings.csv", "--model", "Bias", "--report", "b.json", "--draws", 2, cwd=folder
    )
    data = mr.Dataset.from_frames(folder / "ratings.csv")
    splits = mr.split.cold_start(data, seed=0)
    model = mr.baselines.Bias().fit(splits.train)
    wanted = mr.evaluate(model, splits, draws=2, metrics=["mae"]).interval(
        "Bias", "new_user", "mae"
    )
    found = mr.Report.load(folder / "b.json").interval("Bias", "new_user", "mae")
    assert (found.value, found.low, found.high) == (wanted.value, wanted.low, wanted.high)


def test_clicks_are_ranked_in_the_whole_catalogue(folder):
    done = run(
        *("evaluate", "ratings.csv", "--rating-column", "none", "--new-items", "0"),
        *("--report", "c.json", *QUICK),
        cwd=folder,
    )
    assert "1 of every row" in done.stdout and "popularity" in done.stdout
    assert mr.Report.load(folder / "c.json").interval("ColdStart", "new_user", "ndcg@10")


def test_names_of_columns_are_told_and_parquet_is_read(folder):
    import polars as pl

    table = pl.read_csv(folder / "ratings.csv")
    table.columns = ["who", "what", "how"]
    table.write_parquet(folder / "p.parquet")
    names = ("--user-column", "who", "--item-column", "what", "--rating-column", "how")
    done = run("evaluate", "p.parquet", *names, "--model", "bias", "--draws", "1", cwd=folder)
    assert "ratings  who   int      user id" in done.stdout


@pytest.mark.parametrize("name", ["BayesianMF", "FineTune"])
def test_info_of_every_kind_of_model(folder, name):
    out = f"{name}.metarec"
    quick = ("--set", "epochs=1") if name == "FineTune" else ("--set", "samples=2")
    told = run("train", "ratings.csv", "--model", name, "--out", out, *quick, cwd=folder).stdout
    assert f"metarec recommend {out}" in told
    told = run("info", out, cwd=folder).stdout
    assert name in told and "MB\n" in told and "items, ratings from 1 to 5" in told


def test_what_is_bad_in_the_rows_is_told(folder):
    lines = (folder / "ratings.csv").read_text().splitlines()
    bad = [*lines, lines[1], "7,,3", "7,1,", "8,1,99"]
    (folder / "bad.csv").write_text("\n".join(bad))
    quick = ("--model", "bias", "--draws", "1", "--scale", "1", "5")
    told = run("evaluate", "bad.csv", *quick, cwd=folder).stdout
    for line in (
        "1 dropped: ratings['movieId'] is missing",
        "1 dropped: ratings['rating'] is missing",
        "such as 99 in row",
        "1 dropped: of each user's ratings of an item the last is kept",
    ):
        assert line in told, told
    message = refused("evaluate", "bad.csv", "--strict", cwd=folder)
    assert message.startswith("ratings['movieId']: expected no missing values, got 1, first at row")


def test_recommend_is_what_adapt_gives(folder):
    out = ("--history", "history.csv", "-k", "3", "--out", "o.csv", "--about", "age=25")
    done = run("recommend", "m.metarec", *out, "--items", "movies.csv", cwd=folder)
    with open(folder / "o.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    ann = mr.load(folder / "m.metarec").adapt([1, 2], [5, 1], user={"age": 25})
    wanted = [(str(item), f"Film {item}") for item, _ in ann.recommend(3)]
    assert [(row["item"], row["title"]) for row in rows] == wanted
    assert done.stdout.splitlines()[0].split() == ["place", "item", "score", "title"]
    assert len(done.stdout.splitlines()) == 4


def test_recommend_for_several_users_and_for_nobody_known(folder):
    (folder / "many.csv").write_text("user,movieId\nann,1\nbob,2\nann,99999\n")
    done = run("recommend", "m.metarec", "--history", "many.csv", "-k", "2", cwd=folder)
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["user", "place"], ["ann", "1"], ["ann", "2"], ["bob", "1"], ["bob", "2"]
    ]  # fmt: skip
    assert "1 of 3 items of the history are unknown" in done.stderr
    assert "count as rated 5" in done.stderr
    ann = mr.load(folder / "m.metarec").adapt([1, 99999], [5, 5]).recommend(1)
    assert done.stdout.splitlines()[1].split()[2] == str(ann.items[0])
    assert len(run("recommend", "m.metarec", cwd=folder).stdout.splitlines()) == 11


def test_texts_that_look_like_numbers_are_found(folder, tmp_path):
    rows = [f"{u},{i:03},{1 + (u * i) % 5}" for u in range(20) for i in range(100, 120)]
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "\n".join([*rows, "1,007,5"]))
    (tmp_path / "h.csv").write_text("item,rating\n105,5\n")
    run("train", "r.csv", "--set", "epochs=1", "--out", "m.metarec", cwd=tmp_path)
    done = run("recommend", "m.metarec", "--history", "h.csv", cwd=tmp_path)
    assert "unknown" not in done.stderr and len(done.stdout.splitlines()) == 11


def test_train_chooses_the_number_of_epochs_unless_it_is_given(folder):
    out = ("--set", "attention=0", "--out", "t.metarec")
    told = run("train", "ratings.csv", *out, cwd=folder).stdout
    chosen = int(told.partition("least after epoch ")[2].split()[0])
    model = mr.load(folder / "t.metarec")
    assert 1 <= chosen <= 28 and model.epochs == chosen == len(model.history_)
    assert model.trained_on_.mask.all()
    told = run("train", "ratings.csv", *out, "--set", "epochs=2", cwd=folder).stdout
    assert "How many" not in told and mr.load(folder / "t.metarec").epochs == 2


def test_info(folder):
    shown = run("info", "m.metarec", cwd=folder).stdout
    assert shown.startswith("ColdStart(epochs=1)") and "80 items, ratings from 1 to 5" in shown
    assert "users  age" in shown and "parameters" in shown
    shown = run("info", "ratings.csv", cwd=folder).stdout
    assert "userId" in shown and "ratings a user" in shown
    shown = run("info", "movies.csv", cwd=folder).stdout
    assert "title" in shown and "80 different" in shown and "not ratings" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["judge"], "invalid choice: 'judge'"),
        (["evaluate"], "required: RATINGS (see metarec evaluate --help)"),
        (["evaluate", "nothing.csv"], "there is no file nothing.csv"),
        (["evaluate", "ratings.csv", "--draws", "many"], "--draws: invalid int value: 'many'"),
        (["evaluate", "ratings.csv", "--draws", "0", "--model", "bias"], "draws: expected"),
        (["evaluate", "ratings.csv", "--model", "SVD"], "--model: there is no 'SVD'"),
        (["evaluate", "ratings.csv", "--set", "epoch=1"], "no option 'epoch'"),
        (["evaluate", "ratings.csv", "--set", "epochs"], "--set: expected NAME=VALUE"),
        (["evaluate", "ratings.csv", "--plot", "r.jpg"], "--plot: expected a file .png"),
        (["evaluate", "ratings.csv", "--report", "no/r.md"], "--report: there is no folder no"),
        (["evaluate", "ratings.csv", "--field", "genres=wide"], "no kind 'wide'"),
        (["evaluate", "ratings.csv", "--field", "genres=bag"], "no column 'genres'"),
        (["evaluate", "ratings.csv", "--item-column", "film"], "expected a column 'film'"),
        (["evaluate", "movies.csv"], "no column looks like the user"),
        (["evaluate", "ratings.csv", "--min-ratings", "9000"], "no user who is asked has 9000"),
        (["evaluate", "ratings.csv", "--new-users", "2"], "new_users: expected a fraction"),
        (["evaluate", "history.csv", "--user-column", "rating"], "no user who is asked"),
        (["evaluate", "m.metarec"], "another ending"),
        (["train", "ratings.csv"], "required: --out"),
        (["train", "ratings.csv", "--out", "m.pkl"], "--out: expected a file .metarec"),
        (["train", "ratings.csv", "--out", "m.metarec", "--model", "Bias"], "cannot be saved"),
        (["train", "ratings.csv", "--out", "m.metarec", "--model", "Blend"], "cannot be saved"),
        (["recommend", "history.csv"], "not a model of metarec"),
        (["recommend", "m.metarec", "-k", "0"], "k: expected at least 1"),
        (["recommend", "m.metarec", "--about", "height=2"], "no field 'height'"),
        (["recommend", "m.metarec", "--history", "people.csv"], "no column looks like the item"),
        (["info", "nothing"], "there is no file nothing"),
        (["info", "."], "there is no file ."),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder, arguments, message, monkeypatch, capsys):
    # In this process, to save the time of starting 28 others; the next test starts one.
    monkeypatch.chdir(folder)
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("metarec: error: ") and message in said[0]


def test_what_is_not_installed_is_said_before_the_work(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.chdir(folder)
    assert main(["evaluate", "ratings.csv", "--plot", "r.png"]) == 2
    told = capsys.readouterr()
    assert "pip install 'metarec[plot]'" in told.err and told.out == ""


def test_every_model_that_is_named_can_be_made():
    options = argparse.Namespace(set=[], seed=3)
    for name, kind in models.known().items():
        model = models.make(name.lower(), options, clicks=False)
        assert type(model) is kind
        assert getattr(model, "seed", 3) == 3
    assert {"ColdStart", "MeLU", "BayesianMF", "Blend", "ALS"} <= models.known().keys()


def test_no_traceback_either_from_the_process(folder):
    assert "ratings: there is no file nothing.csv" in refused("train", "nothing.csv", "--out",
                                                              "x.metarec", cwd=folder)  # fmt: skip
    (folder / "unknown.csv").write_text("movieId,rating\n-5,5\n")
    message = refused("recommend", "m.metarec", "--history", "unknown.csv", cwd=folder)
    assert "knows none of the items, such as -5" in message


def test_whoever_reads_may_stop(folder):
    environment = os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "metarec", "recommend", "m.metarec", "-k", "80"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=folder,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait() == 0


def test_the_same_seed_prints_the_same(folder):
    arguments = ("evaluate", "ratings.csv", "--model", "MeLU", "--seed", "3", *QUICK)
    first, second = (run(*arguments, cwd=folder).stdout.splitlines() for _ in range(2))
    timed = [n for n, line in enumerate(first) if line.endswith(" s")]
    assert len(timed) == 1
    assert np.delete(first, timed).tolist() == np.delete(second, timed).tolist()
