"""A data set of ratings whose truth is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metarec.algebra import product
from metarec.arrays import as_count, ragged_range
from metarec.dataset import Dataset
from metarec.errors import InvalidValueError

GENRES, STUDIOS, AUDIENCES, JOBS, AGES, HOBBIES, CONTENT = 12, 20, 4, 10, 6, 8, 8
STARS = np.arange(1, 6)
YEAR = 365 * 24 * 3600


@dataclass(frozen=True, eq=False)
class Truth:
    """What the ratings of `synthetic` were drawn from.

    User u likes item i by ``like = base + a[u] + b[i] + p[u] · q[i]``; the star is drawn by the
    ordered logistic model ``P(star >= k) = 1 / (1 + exp(-(like - (k - 0.5)) / noise))``, k = 2 ...
    5. Nothing that predicts single ratings can have an expected squared error below `variance`.
    """

    base: float
    noise: float
    user_bias: NDArray[np.float64]
    item_bias: NDArray[np.float64]
    user_taste: NDArray[np.float64]
    item_taste: NDArray[np.float64]

    def probabilities(
        self, user: NDArray[np.integer], item: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Return P(star) of 1 ... 5 for pairs of codes, [n, 5]."""
        taste = np.einsum("nd,nd->n", self.user_taste[user], self.item_taste[item])
        like = self.base + self.user_bias[user] + self.item_bias[item] + taste
        at_least = np.ones((len(like), len(STARS) + 1))
        at_least[:, 1:-1] = 1 / (1 + np.exp(-(like[:, None] - (STARS[1:] - 0.5)) / self.noise))
        at_least[:, -1] = 0
        return at_least[:, :-1] - at_least[:, 1:]

    def expected(self, user: NDArray[np.integer], item: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the expected rating of pairs of codes, the best prediction under squared error."""
        return self.probabilities(user, item) @ STARS

    def variance(self, user: NDArray[np.integer], item: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the variance of their ratings: the root of its mean is the best possible RMSE."""
        return self.probabilities(user, item) @ STARS**2 - self.expected(user, item) ** 2


def synthetic(
    users: int = 1000, items: int = 500, seed: int = 0, *, noise: float = 0.35
) -> Dataset:
    """Return ratings with the statistics of a real data set, of which the truth is known.

    A few users rate very much and a few items are rated very often; people rate what they like, so
    that stars are skewed upwards. Tastes and qualities follow from the features in part, the rest
    is each one's own. Items have audience (categorical), genre (bag), studio (categorical) and
    content (dense, 8), and in `item_columns` also year and title; users have age, job (categorical)
    and hobby (bag). A twentieth of the categorical values is unknown.

    Parameters
    ----------
    users, items : int
        Their numbers; a user has at least 15 ratings, fewer only where there are fewer items.
    seed : int
    noise : float
        Scale of the logistic noise, in stars.

    Returns
    -------
    Dataset
        With ``data.truth``, a `Truth`: expected ratings and their variance for any user and item.

    Examples
    --------
    >>> data = synthetic(users=100, items=50, seed=0)
    >>> best = np.sqrt(data.truth.variance(data.user, data.item).mean())
    >>> error = data.rating - data.truth.expected(data.user, data.item)
    >>> bool(abs(np.sqrt((error**2).mean()) / best - 1) < 0.05)
    True
    """
    users, items = as_count(users, "users", 1), as_count(items, "items", 1)
    random = np.random.default_rng(as_count(seed, "seed"))
    if not (isinstance(noise, int | float | np.number) and 0 <= noise < np.inf):
        raise InvalidValueError(f"noise: expected a finite number from 0 on, got {noise!r:.100}")
    depth = 6

    def effect(rows: int) -> NDArray[np.float64]:
        return random.normal(size=(rows, depth))

    genre = random.random((items, GENRES)) < _bag_odds(GENRES)
    genre[np.arange(items), random.choice(GENRES, items, p=_tail(GENRES))] = True
    studio, audience = (
        random.choice(STUDIOS, items, p=_tail(STUDIOS)),
        random.integers(0, AUDIENCES, items),
    )
    content = random.normal(size=(items, CONTENT)).astype(np.float32)
    item_taste = 0.5 * (
        product(genre / genre.sum(1, keepdims=True), effect(GENRES)) * 1.5
        + product(content.astype(np.float64), effect(CONTENT)) / np.sqrt(CONTENT)
        + 0.4 * effect(AUDIENCES)[audience]
        + 0.3 * effect(items)
    )
    item_bias = 0.35 * random.normal(size=STUDIOS)[studio] + 0.3 * random.normal(size=items)

    age, job = random.choice(AGES, users, p=_tail(AGES)), random.choice(JOBS, users, p=_tail(JOBS))
    hobby = random.random((users, HOBBIES)) < _bag_odds(HOBBIES)
    own = 0.3 * effect(AGES)[age] + 0.2 * effect(JOBS)[job] + 0.3 * effect(users)
    hobbies = product(hobby.astype(np.float64), effect(HOBBIES))
    user_taste = own + 0.2 * hobbies / np.maximum(1, hobby.sum(1, keepdims=True))
    user_bias = 0.2 * random.normal(size=AGES)[age] + 0.35 * random.normal(size=users)
    truth = Truth(3.6, noise, user_bias, item_bias, user_taste, item_taste)

    activity = np.minimum(items, 15 + np.exp(random.normal(3.7, 0.9, users))).astype(np.int64)
    user = np.repeat(np.arange(users), activity)
    like = product(user_taste, item_taste.T) + item_bias
    popularity = np.log(_tail(items, 0.9))[random.permutation(items)]
    # The largest of log-weight + Gumbel noise are a draw without replacement by weight.
    wanted = np.argsort(-(popularity + 0.5 * like + random.gumbel(size=like.shape)), axis=1)
    item = wanted[user, ragged_range(np.zeros(users, np.int64), activity)]

    above = np.cumsum(truth.probabilities(user, item), axis=1) < random.random((len(user), 1))
    rating = (1 + above[:, :-1].sum(1)).astype(np.float32)
    joined = 1_500_000_000 + random.integers(0, 3 * YEAR, users)
    timestamp = joined[user] + np.cumsum(random.integers(5, 600, len(user)))

    ratings = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    people = {
        "user": np.arange(users),
        "age": _hidden(np.array([18, 25, 35, 45, 55, 65])[age], random),
        "job": _hidden(np.array([f"job {n}" for n in range(JOBS)], object)[job], random),
        "hobby": _bags("hobby", hobby),
    }
    things = {
        "item": np.arange(items),
        "audience": _hidden(
            np.array(["all", "teens", "adults", "children"], object)[audience], random
        ),
        "genre": _bags("genre", genre),
        "studio": _hidden(
            np.array([f"studio {n}" for n in range(STUDIOS)], object)[studio], random
        ),
        "content": content,
        "title": np.array([f"Item {n}" for n in range(items)], object),
        "year": 2020 - np.minimum(40, random.exponential(8, items)).astype(np.int64),
    }
    kinds = {
        "age": "categorical", "title": None, "year": None, "genre": "bag", "hobby": "bag"
    }  # fmt: skip
    data = Dataset.from_frames(ratings, people, things, timestamp="timestamp", fields=kinds)
    data.truth = truth
    return data


def _tail(count: int, power: float = 0.7) -> NDArray[np.float64]:
    weights = np.power(1.0 + np.arange(count), -power)
    return np.asarray(weights / weights.sum(), np.float64)


def _bag_odds(count: int) -> NDArray[np.float64]:
    return np.minimum(0.5, 1.2 * _tail(count))


def _bags(noun: str, member: NDArray[np.bool_]) -> NDArray[np.object_]:
    names = np.array([f"{noun} {n}" for n in range(member.shape[1])], object)
    return np.fromiter((names[row].tolist() for row in member), object, len(member))


def _hidden(values: NDArray[np.generic], random: np.random.Generator) -> NDArray[np.object_]:
    shown = values.astype(object)
    shown[random.random(len(shown)) < 0.05] = None
    return shown
