"""Public data sets, read from a folder or fetched from their publisher, and a synthetic one."""

from metarec.datasets.bookcrossing import book_crossing
from metarec.datasets.lastfm import hetrec_lastfm
from metarec.datasets.movielens import movielens_1m, movielens_100k, movielens_latest_small
from metarec.datasets.synthetic import synthetic

__all__ = [
    "book_crossing",
    "hetrec_lastfm",
    "movielens_1m",
    "movielens_100k",
    "movielens_latest_small",
    "synthetic",
]
