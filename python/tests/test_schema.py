"""Which column is what: guessed, told, and shown."""

import pytest

from metarec.dataset import Dataset
from metarec.errors import InvalidValueError

MOVIES = {"movieId": [6, 7], "genres": ["Crime|Drama", "Drama"], "year": [1995, None]}


def ratings(user="user", item="item", rating="rating", **more):
    return {user: [1, 1, 2], item: [6, 7, 6], rating: [4.5, 3, 5], **more}


def used(data):
    return {(c.table, c.column): c.use for c in data.schema}


@pytest.mark.parametrize(
    ("user", "item", "rating"),
    [
        ("userId", "movieId", "rating"),
        ("User-ID", "ISBN", "Book-Rating"),
        ("reviewerID", "asin", "overall"),
        ("customer_id", "product_id", "stars"),
        ("USER", "item_id", "Score"),
    ],
)
def test_usual_names_are_found(user, item, rating):
    data = Dataset.from_frames(ratings(user, item, rating))
    assert data.rating.tolist() == [4.5, 3, 5]
    found = used(data)
    assert found["ratings", user] == "user id" and found["ratings", item] == "item id"
    assert found["ratings", rating] == "rating"


def test_the_best_name_counts_and_two_of_a_kind_are_refused():
    data = Dataset.from_frames(ratings(userId=[9, 9, 9], itemid=[1, 1, 1]))
    assert data.user_count == 2 and used(data)["ratings", "userId"] == "left out"
    two = {"user": [1], "movieId": [2], "bookId": [3], "rating": [4]}
    with pytest.raises(InvalidValueError, match=r"the item could be in 'movieId' or 'bookId'; say"):
        Dataset.from_frames(two)
    assert Dataset.from_frames(two, item="bookId").item_ids([0]).tolist() == [3]


@pytest.mark.parametrize("role", ["user", "item", "rating"])
def test_what_is_not_found_is_refused_by_name(role):
    table = ratings(**{role: "nonsense"})
    with pytest.raises(InvalidValueError, match=f"no column looks like the {role}, got .*{role}="):
        Dataset.from_frames(table)


def test_times_are_found_unless_they_are_none():
    times = ["2020-01-31 10:00:00", "2020-01-31T10:00:01Z", "1970-01-01"]
    data = Dataset.from_frames(ratings(timestamp=times))
    assert data.timestamp[1] - data.timestamp[0] == 1_000_000 and data.timestamp[2] == 0
    assert Dataset.from_frames(ratings(timestamp=times), timestamp=None).timestamp is None
    data = Dataset.from_frames(ratings(time=["noon", "dusk", "dawn"]))
    assert data.timestamp is None and used(data)["ratings", "time"] == "left out"
    (step,) = data.cleaning
    assert step.rule == "timestamp" and step.action == "not used"
    with pytest.raises(InvalidValueError, match=r"ratings\['time'\]: expected integers or dat"):
        Dataset.from_frames(ratings(time=["noon", "dusk", "dawn"]), timestamp="time")


def test_without_ratings_every_row_counts_as_one():
    data = Dataset.from_frames({"user": [1, 2], "item": [6, 6]}, rating=None)
    assert data.rating.tolist() == [1, 1] and data.scale == (1, 1)
    assert "1 of every row" in str(data.schema)


def test_tables_of_items_may_name_the_id_otherwise():
    for name in ("movieId", "item", "id", "item_id"):
        items = {name: [6, 7], "g": ["a", "b"]}
        assert Dataset.from_frames(ratings(), items=items).items["g"].ids.tolist() == [0, 1]
    with pytest.raises(InvalidValueError, match=r"items: expected a column 'item' as in the rat"):
        Dataset.from_frames(ratings(), items={"key": [6], "g": ["a"]})


def test_what_is_shown():
    fields = {"year": "content"}
    data = Dataset.from_frames(ratings(item="movieId"), items=MOVIES, fields=fields)
    assert data.content_columns == ("year",)
    assert str(data.schema).splitlines() == [
        "Schema",
        "  ratings  user     int      user id  2 different",
        "  ratings  movieId  int      item id  2 different",
        "  ratings  rating   float32  rating   3 to 5",
        "  items    movieId  int      item id  2 different",
        "  items    genres   str      bag      2 values",
        "  items    year     int      content  1 different, 1 missing",
    ]
    assert "<table>" in data.schema._repr_html_() and "Schema" in data._repr_html_()
    assert data.schema.to_dict()[0]["use"] == "user id" and len(data.schema) == 6
    assert str(data.view([0]).schema) == str(data.schema)
    assert "the id itself" in str(Dataset.from_arrays([1], ["x"], [3]).schema)


def test_nearly_unique_texts_are_warned_of():
    titles = [f"title {n}" for n in range(60)]
    table = {"user": [1] * 60, "item": list(range(60)), "rating": [3] * 59 + [4]}
    items = {"item": list(range(60)), "title": titles, "studio": ["a", "b"] * 30}
    with pytest.warns(UserWarning, match=r"items\['title'\]: 60 different texts in 60 rows.*None"):
        data = Dataset.from_frames(table, items=items)
    assert list(data.items.fields) == ["title", "studio"]


@pytest.mark.filterwarnings("error")
def test_auto_chooses_what_is_likely_right():
    count = 60
    table = {"user": list(range(count)), "item": list(range(count)), "rating": [3] * 59 + [4]}
    items = {
        "item": list(range(count)),
        "title": [f"title {n}" for n in range(count)],
        "studio": ["a", "b"] * 30,
        "tags": [f"{n}|x" for n in range(count)],
        "year": list(range(1950, 1950 + count)),
        "price": [n / 2 for n in range(count)],
    }
    users = {"user": list(range(count)), "address": [f"{n} Road" for n in range(count)]}
    data = Dataset.from_frames(table, users | {"stars": [1, 2] * 30}, items, fields="auto")
    assert {name: field.kind for name, field in data.items.fields.items()} == {
        "studio": "categorical",
        "tags": "bag",
        "year": "categorical",
        "price": "dense",
    }
    assert data.items["year"].size == 10 and data.content_columns == ("title",)
    assert abs(data.items["price"].vectors.mean()) < 1e-6
    assert list(data.users.fields) == ["stars"]
    with pytest.raises(InvalidValueError, match="fields: expected a mapping or 'auto', got 'all'"):
        Dataset.from_frames(table, fields="all")
