"""The measurements as Markdown and as a plot."""

from pathlib import Path
from typing import Any

import numpy as np


def markdown(results: dict[str, Any]) -> str:
    """Return the tables of everything that was measured."""
    clock = "processor time" if results["clock"] == "cpu" else "wall clock"
    lines = [
        "# Speed",
        "",
        f"`{results['command']}` on {results['machine']};",
        f"{clock}, medians of alternating blocks, float32. One core: {results['peak']:.0f} GFLOP/s",
        f"({results['peak_by']}), {results['bandwidth']:.0f} GB/s (triad).",
        "8 fields x 32 -> 64 -> 64 -> 1, supports of 3 to 90 rows, 10 query rows, batches of 32.",
    ]
    if results["missing"]:
        lines.append(f"Skipped, not installed: {', '.join(results['missing'])}.")
    for what, title in (
        ("steps", "Whole outer steps"),
        ("gradients", "Gradients alone, no optimizer"),
    ):
        if results["training"]:
            lines += ["", f"## {title}, tasks a second", "", *_training(results["training"], what)]
    if results["training"]:
        lines += ["", "## First calls and memory", "", *_facts(results["training"])]
    if results.get("rewrites"):
        lines += ["", "## The plan alone, one task, one core", "", *_plans(results["rewrites"])]
        lines += ["", "## What each rewrite buys", "", *_rewrites(results["rewrites"])]
    if results.get("latency"):
        lines += [
            "",
            "## One user, microseconds from Python, one thread",
            "",
            *_latency(results["latency"]),
        ]
    if results.get("growth"):
        lines += ["", "## What the cost follows (metarec, exact MAML, 1 step unless said)", ""]
        lines += _growth(results["growth"], results["bandwidth"])
    if results.get("whole"):
        lines += ["", "## Whole processes", "", *_whole(results["whole"])]
    return "\n".join(lines) + "\n"


def _names(rows: list[dict[str, Any]], key: str = "systems") -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row[key]))


def _training(rows: list[dict[str, Any]], what: str) -> list[str]:
    names = _names(rows)
    heads = ["threads", *names, "fastest peer", "metarec is", "share of peak"]
    if what == "steps":
        heads.append("share of bandwidth")
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for row in rows:
        rates = {name: float(np.median(facts[what])) for name, facts in row["systems"].items()}
        peers = {name: rate for name, rate in rates.items() if name != "metarec"}
        cells = [f"{rates[name]:,.0f}" if name in rates else "" for name in names]
        fastest = max(peers, key=peers.__getitem__) if peers else ""
        # The ratio of blocks that ran side by side, so that what slows both cancels.
        ratio = f"{_ratio(row, fastest, what):.1f} x" if peers else ""
        share = rates["metarec"] * row["mflop"] / 1e3 / (row["peak"] * row["threads"])
        cells += [fastest, ratio, f"{share:.0%}"]
        if what == "steps":
            cells.append(f"{rates['metarec'] * row['traffic'] / 1e9 / row['bandwidth']:.0%}")
        lines.append(f"| {row['algorithm']} | {row['threads']} | {' | '.join(cells)} |")
    lines += [
        "",
        "Share of peak: the arithmetic that cannot be avoided, first layer split by user and item,",
        "over the measured multiply-add peak of the cores used.",
    ]
    if what == "steps":
        lines += [
            "Share of bandwidth: table rows that a batch touches and layers, with Adam's moments,",
            "read and written once, and the rows' numbers, over one core's measured bandwidth.",
        ]
    return lines


def _ratio(row: dict[str, Any], peer: str, what: str) -> float:
    ours, theirs = (np.array(row["systems"][name][what]) for name in ("metarec", peer))
    return float(np.median(ours / theirs))


def _facts(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| | threads | system | import, s | set up, s | first gradient, s | first 4 outer steps, s "
        "| peak memory, MB | difference from metarec |",
        "|---|---:|---|" + "---:|" * 6,
    ]
    for row in rows:
        lines += [
            f"| {row['algorithm']} | {row['threads']} | {name} | {facts['import_seconds']:.2f} "
            f"| {facts['prepare_seconds']:.3f} | {facts['gradient_seconds']:.3f} "
            f"| {facts['first_seconds']:.3f} | {facts['peak_mb']:.0f} | {facts['difference']:.0e} |"
            for name, facts in row["systems"].items()
        ]
    return lines


def _plans(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| | instructions | µs | MFLOP done | GFLOP/s | peak, GFLOP/s | MFLOP, layer 1 split "
        "| share of peak |",
        "|---|" + "---:|" * 7,
    ]
    for row in rows:
        instructions, done, times = row["plans"][""]
        time = float(np.median(times))
        rate, share = 1e3 * done / time, 1e3 * row["mflop"] / time / row["peak"]
        lines.append(
            f"| {row['algorithm']} | {instructions} | {time:.1f} | {done:.2f} | {rate:.0f} "
            f"| {row['peak']:.0f} | {row['mflop']:.2f} | {share:.0%} |"
        )
    return [
        *lines,
        "",
        "Sums of the instructions' times (`MetaLearner.profile`), each the fastest of ten rounds;",
        "the peak is the fastest of its rounds too. Share of peak: of the arithmetic with layer 1",
        "split by user and item; the plan does a little less.",
    ]


def _rewrites(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| without | " + " | ".join(row["algorithm"] for row in rows) + " |",
        "|---|" + "---:|" * len(rows),
    ]
    for name in rows[0]["plans"]:
        cells = []
        for row in rows:
            instructions, mflop, times = row["plans"][name]
            ratio = float(np.median(np.array(times) / np.array(row["plans"][""][2]))) - 1
            change = f" ({ratio:+.1%})" if name else ""
            cells.append(f"{np.median(times):.1f} µs{change}, {instructions}, {mflop:.2f}")
        label = "all of them" if "," in name else f"`{name}`" if name else "(nothing)"
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, "", "Microseconds of a task (change), instructions, MFLOP of products."]


def _growth(rows: list[dict[str, Any]], bandwidth: float) -> list[str]:
    lines = ["| | size | µs a task | KB a task | share of bandwidth |", "|---|" + "---:|" * 4]
    for row in rows:
        time, moved = row["microseconds"], row["traffic"] / 1e3
        lines.append(
            f"| {row['what']} | {row['size']:,} | {time:.1f} | {moved:.1f} "
            f"| {moved / time / bandwidth:.0%} |"
        )
    return lines


def _whole(found: dict[str, dict[str, float]]) -> list[str]:
    lines = ["| | |", "|---|---:|"]
    lines += [f"| {name}, s | {seconds:.2f} |" for name, seconds in found["first"].items()]
    for name, number in found.get("train", {}).items():
        text = f"{number:.0%}" if "share" in name else f"{number:,.2f}".removesuffix(".00")
        lines.append(f"| MovieLens-1M, one thread: {name} | {text} |")
    return lines


def _latency(rows: list[dict[str, Any]]) -> list[str]:
    names = [name for name in rows[0] if name not in ("steps", "ratings", "candidates")]
    lines = [
        "| steps | ratings | candidates | "
        + "".join(f"{name} p50 / p99 (first) | " for name in names),
        "|" + "---:|" * (3 + len(names)),
    ]
    for row in rows:
        cells = [
            f"{row[n]['p50']:,.0f} / {row[n]['p99']:,.0f} ({row[n]['first']:,.0f})" for n in names
        ]
        lines.append(
            f"| {row['steps']} | {row['ratings']} | {row['candidates']:,} | {' | '.join(cells)} |"
        )
    return lines


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw tasks a second of whole outer steps on one thread, on a logarithmic axis."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in results["training"] if row["threads"] == 1]
    if not rows:
        return
    names = _names(rows)
    figure, axes = plt.subplots(figsize=(1.6 + 1.5 * len(rows), 4), layout="constrained")
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        at = [
            i + (place - (len(names) - 1) / 2) * width
            for i, row in enumerate(rows)
            if name in row["systems"]
        ]
        rates = [np.array(row["systems"][name]["steps"]) for row in rows if name in row["systems"]]
        middle = np.array([np.median(r) for r in rates])
        spread = np.abs(np.array([np.percentile(r, (25, 75)) for r in rates]).T - middle)
        axes.bar(at, middle, width, yerr=spread, label=name)
    axes.set_yscale("log")
    axes.set_xticks(range(len(rows)), [row["algorithm"].replace(", ", "\n") for row in rows])
    axes.set_ylabel("tasks a second, one thread")
    figure.legend(loc="outside upper center", ncols=len(names), frameon=False, fontsize="small")
    figure.savefig(path, dpi=80)
    plt.close(figure)
