"""The demo runs, says which side of the floor it ended on, and draws."""

import re

import pytest

from metarec import demo

LINE = re.compile(r"  (\w+) +(\S+) +\S+ \[(\S+), (\S+)\] +(.+)")


@pytest.mark.slow
def test_says_what_the_intervals_say(tmp_path, capsys):
    picture = tmp_path / "demo.png"
    demo.main(["--data", "synthetic", "--epochs", "2", "--out", str(picture)])
    printed = capsys.readouterr().out
    said = [found.groups() for found in map(LINE.fullmatch, printed.splitlines()) if found]
    assert {scenario for scenario, *_ in said} == {"warm", "new_user", "new_item", "new_both"}
    for _, metric, low, high, side in said:
        below, above = float(high) < 0, float(low) > 0
        better, worse = (above, below) if metric == "ndcg@3" else (below, above)
        if min(abs(float(low)), abs(float(high))) < 0.001:
            continue  # an end that rounding may have moved to 0
        assert side == ("better" if better else "WORSE" if worse else "no clear difference")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_data_that_cannot_be_had_ends_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "ml-1m").mkdir()
    monkeypatch.setenv("METAREC_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"metarec\.demo: .*users\.dat"):
        demo.main([])
