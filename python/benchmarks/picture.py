"""The README's picture: error by number of ratings, one new user, and speed beside the peers.

    METAREC_DATA=... python python/benchmarks/picture.py [--out docs/images]

And the calibration of `ColdStart` beside it, for docs/accuracy.md.

MovieLens-1M, MeLU's published split, new users, three draws. The speed is read from the table of
docs/benchmarks.md, which says how it was measured.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

import metarec as mr

ROOT = Path(__file__).parents[2]
SYSTEMS = {"metarec": "C0", "JAX": "0.35", "torch.func vmap": "0.55", "PyTorch loop": "0.75"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the README's picture.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images")
    options = parser.parse_args()

    splits = mr.split.melu(mr.datasets.movielens_1m(), seed=0)
    whole, validation = splits.train_and_validation, splits.validation
    taught = mr.BayesianMF(seed=0).fit(splits.train, validation)
    models = [
        mr.ColdStart(seed=0).fit(whole, validation),
        mr.BayesianMF(seed=0, probits=taught.probits_).fit(whole),
    ]
    report = mr.evaluate(models, splits, scenarios=["new_user"], metrics=["rmse"], draws=3)
    matplotlib.use("Agg")
    calibration(report, options.out / "calibration.png")
    draw(report, models[0], splits, options.out / "metarec.png")


def calibration(report: mr.Report, out: Path) -> None:
    """How often the most probable star was the one that came."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(4.05, 4.05), layout="constrained")
    mr.plot.calibration(report, "new_user", models=["ColdStart"], ax=ax).figure.savefig(out)
    print(out)


def draw(report: mr.Report, model: mr.ColdStart, splits, out: Path) -> None:
    import matplotlib.pyplot as plt

    plt.rcParams["font.size"] = 8
    figure, axes = plt.subplots(
        1, 3, figsize=(12, 3.4), width_ratios=[1, 1.1, 1], layout="constrained"
    )
    mr.plot.support_curve(report, "rmse", "new_user", ax=axes[0])
    axes[0].set_title("Error for new users, MovieLens-1M")
    axes[0].legend(frameon=False, fontsize=7)
    person(model, splits, axes[1])
    speed(axes[2])
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=120)
    print(out)


def person(model: mr.ColdStart, splits, ax) -> None:
    """The first new user whose five first ratings have praise and blame."""
    data, scenario = splits.train.root, splits["new_user"]
    rows, counts, _ = scenario.rows()
    starts = np.cumsum(counts) - counts
    firsts = data.rating[rows[starts[:, None] + np.arange(5)]]
    task = int(np.argmax((firsts.min(1) <= 2) & (firsts.max(1) >= 5)))
    five = rows[starts[task] : starts[task] + 5]
    user = data.user_ids([scenario.users[task]])[0]
    ann = model.adapt(data.item_ids(data.item[five]), data.rating[five], user=user)
    mr.plot.adaptation(ann, k=6, titles=data.item_columns["title"], ax=ax)
    names = [label.get_text() for label in ax.get_yticklabels()]
    ax.set_yticks(ax.get_yticks(), [n if len(n) < 27 else n[:25] + "…" for n in names])
    ax.legend(frameon=False, fontsize=7, loc="best")
    ax.set_title("One of them, before and after five ratings")


def speed(ax) -> None:
    """Outer steps of exact MAML, from the table of docs/benchmarks.md."""
    table = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    table = table.split("## Whole outer steps, tasks a second")[1].split("\n\n")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    header, found = rows[0], {row[0]: row for row in rows[2:]}
    names = ["exact MAML, 1 step", "exact MAML, 5 steps"]
    for index, (system, color) in enumerate(SYSTEMS.items()):
        values = [float(found[name][header.index(system)].replace(",", "")) for name in names]
        bars = ax.bar(np.arange(2) + 0.2 * index - 0.3, values, 0.19, color=color, label=system)
        ax.bar_label(bars, [f"{value:,.0f}" for value in values], fontsize=6)
    ax.set_xticks([0, 1], names)
    ax.set_ylabel("tasks a second, one core")
    ax.set_title("Training: users a second")
    ax.legend(frameon=False, fontsize=7)


if __name__ == "__main__":
    main()
