"""The Markdown of the accuracy table."""

from typing import Any

from accuracy_models import EXACT, NAMES

SCENARIOS = {
    "new_user": "New user",
    "new_item": "New item, support on new items only",
    "new_item, history=200": "New item, with up to 200 of the user's own training ratings",
    "new_both": "New user and new item",
}
COLUMNS = ("mae", "rmse", "ndcg@3")
FLOORS = ("global_mean", "user_mean", "user_median", "bias")
# MAE of Lee et al., KDD 2019. Their draws are not published.
PUBLISHED = {"new_user": 0.7854, "new_item": 0.9275, "new_both": 0.9235}
#: The best decision first; MAE of a number that is no star is shown as it is.
BEST = ("median", "gain", "mode", "distribution", "mean")
HEAD = (
    "| | MAE | rounded | RMSE | nDCG@3 | MAE − bias | RMSE − bias | nDCG@3 − bias |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)

Row = dict[str, Any]


def markdown(found: dict[str, Any]) -> str:
    """Return a table a scenario, the curve over support size, the coverage, and the pairs."""
    models = found["models"]
    tables = {name: models[name]["rows"] for name in NAMES if name in models}
    tables |= {n: [row for row in found["floors"] if row["model"] == n] for n in FLOORS}
    seeds = {name: len(model["seeds"]) for name, model in models.items() if name not in EXACT}
    most = max(seeds.values(), default=1)
    fewer = [f"{name} {count}" for name, count in seeds.items() if count < most]
    draws = max(model["draws"] for model in models.values())
    lines = [
        f"MovieLens-1M, MeLU's published split, {draws} draws, mean of {most} training seeds"
        + (f" (of fewer: {', '.join(fewer)})" if fewer else "")
        + ". Brackets: 95 % bootstrap",
        "interval over users of the paired difference from the unrounded `bias` on the same draws.",
    ]
    for scenario, title in SCENARIOS.items():
        lines += ["", *_scenario(tables, scenario, title)]
    lines += ["", *_curve(tables), "", *_coverage(tables), ""]
    if "pairs" in found:
        lines += [*_pairs(found["pairs"]), ""]
    lines.append(
        "; ".join(f"{name}: {models[name]['fact']}" for name in NAMES if name in models) + "."
    )
    return "\n".join(lines)


def _scenario(tables: dict[str, list[Row]], scenario: str, title: str) -> list[str]:
    tasks = _best(tables["bias"], scenario, "mae")["tasks"]
    lines = [f"**{title}** ({tasks:,} users)", "", HEAD]
    for name, rows in tables.items():
        best = [_best(rows, scenario, metric) for metric in COLUMNS]
        rounded = _one(rows, scenario, "mae", "rounded")
        values = [f"{row['value']:.3f}" for row in best]
        values.insert(1, f"{rounded['value']:.3f}" if rounded else "")
        paired = [_paired(row) for row in best]
        lines.append(f"| {name} | {' | '.join(values + paired)} |")
    if scenario in PUBLISHED:
        lines.append(f"| MeLU as published | {PUBLISHED[scenario]:.4f} | | | | | | |")
    return lines


def _paired(row: Row) -> str:
    if row["paired"] is None or row["model"] in FLOORS:
        return ""
    difference, low, high = row["paired"]
    return f"{difference:+z.3f} [{low:+z.3f}, {high:+z.3f}]"


def _curve(tables: dict[str, list[Row]]) -> list[str]:
    rows = tables["bias"]
    sizes = sorted({row["support_size"] for row in rows if row["support_size"] is not None})
    tasks = next(row["tasks"] for row in rows if row["support_size"] == sizes[0])
    lines = [
        f"**MAE / RMSE by support size**, new users with at least {sizes[-1]} ratings in their "
        f"support ({tasks:,})",
        "",
        f"| | {' | '.join(map(str, sizes))} |",
        "|---|" + "---:|" * len(sizes),
    ]
    for name, mine in tables.items():
        cells = []
        for size in sizes:
            mae, rmse = (_best(mine, "new_user", metric, size) for metric in ("mae", "rmse"))
            cells.append(f"{mae['value']:.3f} / {rmse['value']:.3f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _coverage(tables: dict[str, list[Row]]) -> list[str]:
    lines = [
        "**Coverage of the central 90 %** (randomised; right is .900)",
        "",
        f"| | {' | '.join(SCENARIOS.values())} |",
        "|---|" + "---:|" * len(SCENARIOS),
    ]
    for name, rows in tables.items():
        cells = [_one(rows, scenario, "coverage90", "distribution") for scenario in SCENARIOS]
        if all(cells):
            values = [f"{row['value']:.3f}" for row in cells if row]
            lines.append(f"| {name} | {' | '.join(values)} |")
    return lines


def _pairs(rows: list[Row]) -> list[str]:
    lines = [
        "**Each pair of learners**, paired differences as above",
        "",
        f"| | | {' | '.join(SCENARIOS.values())} |",
        "|---|---|" + "---:|" * len(SCENARIOS),
    ]
    titles = dict(zip(COLUMNS, ("MAE", "RMSE", "nDCG@3"), strict=True))
    for pair in dict.fromkeys((row["a"], row["b"]) for row in rows):
        for metric in COLUMNS:
            cells = [
                f"{row['difference']:+z.3f} [{row['low']:+z.3f}, {row['high']:+z.3f}]"
                for scenario in SCENARIOS
                for row in rows
                if (row["a"], row["b"], row["scenario"], row["metric"]) == (*pair, scenario, metric)
            ]
            lines.append(f"| {' − '.join(pair)} | {titles[metric]} | {' | '.join(cells)} |")
    return lines


def _best(rows: list[Row], scenario: str, metric: str, size: int | None = None) -> Row:
    found = (_one(rows, scenario, metric, decision, size) for decision in BEST)
    return next(row for row in found if row)


def _one(
    rows: list[Row], scenario: str, metric: str, decision: str, size: int | None = None
) -> Row | None:
    wanted = (scenario, metric, decision, size)
    keys = ("scenario", "metric", "decision", "support_size")
    return next((row for row in rows if tuple(row[key] for key in keys) == wanted), None)
