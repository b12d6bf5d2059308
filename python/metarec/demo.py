"""From ratings to a ranking for a new user: ``python -m metarec.demo``, or ``make demo``.

Trains MeLU and the plain transfer learning that it must be compared with, shows both beside the
trivial floors, ranks items for one new user before and after five ratings, and draws the error by
number of ratings.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import metarec as mr
from metarec.splits import Splits

SYNTHETIC, MOVIELENS = "synthetic", "movielens-1m"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo; `arguments` are those of the command line."""
    options = _options(arguments)
    try:
        _run(options)
    except mr.MetarecError as error:
        raise SystemExit(f"metarec.demo: {error}") from error


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m metarec.demo",
        description="Train a cold-start recommender and compare it with the floors.",
    )
    parser.add_argument(
        "--data",
        choices=(SYNTHETIC, MOVIELENS),
        default=MOVIELENS if os.environ.get("METAREC_DATA") else SYNTHETIC,
        help="default: movielens-1m where METAREC_DATA says where data sets are, else synthetic",
    )
    parser.add_argument(
        "--epochs", type=int, default=60, help="at most; validation may stop earlier"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("demo.png"), help="the picture")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> None:
    started = time.perf_counter()
    data, splits = _ratings(options.data, options.seed)
    print(f"{data}\n\n{splits}\n")

    common: dict[str, Any] = {"epochs": options.epochs, "seed": options.seed}
    melu = _trained(mr.MeLU(order=2, **common), splits)
    plain = _trained(mr.FineTune(**common), splits)

    print("\nScoring 5 draws of every scenario, beside the trivial floors ...\n")
    report = mr.evaluate([melu, plain], splits, metrics=["mae", "rmse", "ndcg@3"])
    print(report)
    _say_which_side(report)
    _rank_for_a_new_user(melu, data, splits)
    _draw(report, options)
    print(f"\nDone in {time.perf_counter() - started:.0f} s.")


def _ratings(name: str, seed: int) -> tuple[mr.Dataset, Splits]:
    if name == SYNTHETIC:
        print("Data: synthetic ratings with the statistics of a real data set.")
        print("For MovieLens-1M set METAREC_DATA to the folder that has ml-1m/,")
        print("or give --data movielens-1m to fetch it.\n")
        data = mr.datasets.synthetic(users=2000, items=600, seed=seed)
        return data, mr.split.cold_start(data, seed=seed)
    data = mr.datasets.movielens_1m()
    assert data.folder is not None
    if (data.folder / "melu_splits").is_dir():
        print("Data: MovieLens-1M, by MeLU's published split.\n")
        return data, mr.split.melu(data, seed=seed)
    print("Data: MovieLens-1M. MeLU's lists (melu_splits/) are not beside it:")
    print("a fifth of the users, and the films from 1998 on, are new.\n")
    return data, mr.split.cold_start(data, new_items=lambda film: film["year"] >= 1998, seed=seed)


def _trained(model: mr.MetaLearner, splits: Splits) -> mr.MetaLearner:
    print(f"Training {model} ...", flush=True)
    started = time.perf_counter()
    seen = sys.stderr.isatty()
    callbacks: list[Callable[[Any], Any]] = [] if seen else [_show_epoch]
    model.fit(splits.train, validation=splits.validation, progress=seen, callbacks=callbacks)
    best = min(model.history_, key=lambda row: row["validation"])
    print(
        f"  {len(model.history_)} epochs in {time.perf_counter() - started:.1f} s; "
        f"kept epoch {best['epoch']}, validation RMSE {best['validation']:.4f}"
    )
    return model


def _show_epoch(row: dict[str, float]) -> None:
    scores = f"loss {row['loss']:.4f}  validation RMSE {row['validation']:.4f}"
    print(f"  epoch {row['epoch']:>2}  {scores}", flush=True)


def _say_which_side(report: mr.Report) -> None:
    print("\nOn which side of the floor `bias` (user and item offsets) does the meta-learner end?")
    sides = {"MeLU": "better", "bias": "WORSE", "": "no clear difference"}
    for row in report.compare("MeLU", "bias").rows:
        if row["decision"] == "mean":
            interval = f"{row['difference']:+z.3f} [{row['low']:+z.3f}, {row['high']:+z.3f}]"
            side = sides[row["better"]]
            print(f"  {row['scenario']:<9} {row['metric']:<7} {interval:<26} {side}")


def _rank_for_a_new_user(model: mr.MetaLearner, data: mr.Dataset, splits: Splits) -> None:
    rows, counts, _ = splits["new_user"].rows()
    starts = np.cumsum(counts) - counts
    # The first user whose five ratings say something: from 2 stars or fewer to 5.
    firsts = data.rating[rows[starts[:, None] + np.arange(5)]]
    task = int(np.argmax((firsts.min(1) <= 2) & (firsts.max(1) >= 5)))
    mine = rows[starts[task] : starts[task] + counts[task]]
    five, later = mine[:5], mine[5:]
    items, ratings = data.item_ids(data.item[five]), data.rating[five]

    code = splits["new_user"].users[task]
    known = {name: values[code] for name, values in data.user_columns.items() if name != "user"}
    about = ", ".join(f"{name}: {_words(each)}" for name, each in known.items() if each is not None)
    print(f"\nA new user ({about}) gives five ratings:")
    for item, rating in zip(items, ratings, strict=True):
        print(f"  {rating:g}  {_title(data, item)}")

    user = data.user_ids([code])[0]
    before = model.adapt(user=user).recommend(k=10, exclude=items)
    after = model.adapt(items=items, ratings=ratings, user=user).recommend(k=10)
    others = data.item_ids(data.item[later]).tolist()
    given = dict(zip(others, data.rating[later].tolist(), strict=True))
    print(f"\n{'':>4}{'ten best before any rating':<44}ten best after the five")
    for place, pair in enumerate(zip(before, after, strict=True), 1):
        left, right = (
            f"{score:.2f}  {_title(data, item)[:30]}{_given(given.get(item))}"
            for item, score in pair
        )
        print(f"{place:>3} {left:<44}{right}")
    print("    (n*): rated so by this user elsewhere in the data, which the model has not seen")


def _words(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, (list, np.ndarray)) else str(value)


def _title(data: mr.Dataset, item: Any) -> str:
    titles = data.item_columns.get("title")
    return str(item) if titles is None else str(titles[data.item_codes([item])[0]])


def _given(rating: float | None) -> str:
    return "" if rating is None else f" ({rating:g}*)"


def _draw(report: mr.Report, options: argparse.Namespace) -> None:
    try:
        import matplotlib
    except ImportError:
        print("\nNo picture: it needs matplotlib, pip install metarec[plot].")
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    scenarios = [name for name in ("new_user", "new_item", "new_both") if name in report.scenarios]
    size = (4 * len(scenarios) + 1.5, 4.2)
    figure, panels = plt.subplots(
        1, len(scenarios), figsize=size, squeeze=False, layout="constrained"
    )
    for scenario, ax in zip(scenarios, panels[0], strict=True):
        mr.plot.support_curve(report, "mae", scenario, ax=ax)
        ax.get_legend().remove()
    lines = panels[0][0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside right center", frameon=False)
    figure.suptitle(f"{options.data}: mean absolute error by number of ratings known of a user")
    figure.savefig(options.out, dpi=150)
    print(f"\nThe error by number of ratings: {options.out}")


if __name__ == "__main__":
    main()
