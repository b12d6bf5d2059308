"""Training seeds, pairs, groups, and reports in files."""

import json
from itertools import combinations

import numpy as np
import pytest
from scenarios import Answers, Constant, Same, small_data, small_splits

import metarec as mr
from metarec import split
from metarec.errors import InvalidValueError
from metarec.evaluation import Report, evaluate
from metarec.evaluation.groups import activity, popularity
from metarec.evaluation.scores import p_value

SKEWED = [0.2, 0.15, 0.1, 0.15, 0.4]


class Noisy:
    """The truth and noise of its own, which a seed decides."""

    def __init__(self, data, spread, seed):
        self.answers, self.spread, self.seed = Answers(data), spread, seed

    def predict(self, tasks):
        y = self.answers.of(tasks)
        return y + self.spread * np.random.default_rng(self.seed).normal(size=len(y))


@pytest.fixture(scope="module")
def splits():
    return small_splits()


@pytest.fixture(scope="module")
def report(splits):
    models = {
        "copies": [Noisy(splits.data, 0.5, seed) for seed in range(3)],
        "worse": Noisy(splits.data, 0.9, 7),
        "skewed": Same(SKEWED),
    }
    return evaluate(models, splits, draws=2, resamples=200, support_sizes=(0, 5))


class TestSeeds:
    def test_copies_are_one_model_whose_value_is_their_mean(self, splits, report):
        options = {"draws": 2, "resamples": 200, "support_sizes": (), "floors": False}
        alone = [evaluate(Noisy(splits.data, 0.5, seed), splits, **options) for seed in range(3)]
        for metric in ("mae", "rmse", "ndcg@3"):
            values = [each.interval("Noisy", "new_user", metric).value for each in alone]
            found = report.interval("copies", "new_user", metric)
            assert found.value == pytest.approx(np.mean(values))
            assert found.low < found.value < found.high
        frame = report.to_frame("pandas")
        mine = frame[
            (frame.model == "copies")
            & (frame.metric == "mae")
            & (frame.decision == "mean")
            & (frame.scenario == "new_user")
            & frame.support_size.isna()
            & frame.by.isna()
        ]
        assert mine[mine.seed.notna()].value.tolist() == pytest.approx(
            [each.interval("Noisy", "new_user", "mae").value for each in alone]
        )
        assert mine.draw.notna().sum() == 2 and (mine.seed.notna() & mine.draw.notna()).sum() == 0

    def test_the_spreads_are_told_apart(self, report):
        rows = report.stability(metrics=["mae"], scenarios=["new_user"]).to_frame("pandas")
        rows = rows[rows.decision == "mean"].set_index("model")
        assert rows.loc["copies", ["draws", "seeds"]].tolist() == [2, 3]
        frame = report.to_frame("pandas")
        frame = frame[
            (frame.metric == "mae") & (frame.decision == "mean") & (frame.scenario == "new_user")
        ]
        frame = frame[frame.support_size.isna() & frame.by.isna() & (frame.model == "copies")]
        for name, column in (("sd_draws", "draw"), ("sd_seeds", "seed")):
            values = frame[frame[column].notna()].value
            assert rows.loc["copies", name] == pytest.approx(np.std(values, ddof=1))
        assert np.isnan(rows.loc["worse", "sd_seeds"]) and rows.loc["worse", "sd_draws"] > 0
        assert "sd over seeds" in repr(report.stability())

    def test_a_sequence_may_hold_copies(self, splits):
        options = {"draws": 1, "resamples": 10, "support_sizes": (), "scenarios": "new_user"}
        found = evaluate([[Constant(2), Constant(4)], Constant(3)], splits, **options)
        assert found.models == ["Constant", "Constant 2"]
        assert len(found.info["models"]["Constant"]) == 2
        with pytest.raises(InvalidValueError, match="empty list"):
            evaluate({"none": []}, splits, **options)
        with pytest.raises(InvalidValueError, match="some copies of mixed"):
            evaluate({"mixed": [Constant(), Same(SKEWED)]}, splits, **options)


class TestComparisons:
    def test_all_pairs(self, report):
        names = [*report.models, *report.floors]
        table = report.compare(metrics="mae", scenarios="new_user")
        pairs = list(dict.fromkeys((row["a"], row["b"]) for row in table.rows))
        assert pairs == list(combinations(names, 2))
        assert "21 pairs of models" in repr(table)
        one = report.compare("worse", metrics="mae", scenarios="new_user").rows
        assert {row["b"] for row in one} == {*names} - {"worse"}
        with pytest.raises(InvalidValueError, match="a: got None"):
            report.compare(b="worse")

    def test_p_values(self, report):
        rows = report.compare("copies", metrics=["mae"], scenarios=["new_user"]).rows
        by_name = {(row["b"], row["decision"], row["decision_b"]): row for row in rows}
        clear = by_name["worse", "mean", "mean"]
        assert clear["p_value"] == pytest.approx(2 / 201) and clear["better"] == "copies"
        same = report.compare("worse", "worse", metrics=["mae"]).rows
        assert all(row["p_value"] == 1 and row["better"] == "" for row in same)
        for row in rows:
            outside = row["low"] > 0 or row["high"] < 0
            assert outside == (row["p_value"] < 0.05) or abs(row["p_value"] - 0.05) < 0.02

    def test_p_value_by_hand(self):
        assert p_value(np.array([1.0, 2, 3, -1])) == pytest.approx(2 * 2 / 5)
        assert p_value(np.array([1.0, 2, 3, np.nan])) == pytest.approx(2 * 1 / 4)
        assert p_value(np.zeros(9)) == 1 and np.isnan(p_value(np.array([np.nan])))

    def test_p_values_are_uniform_where_nothing_differs(self):
        """Two models of the same noise: about one in twenty comparisons is below .05."""
        splits = small_splits(seed=3)
        models = {f"m{seed}": Noisy(splits.data, 0.7, seed) for seed in range(20)}
        options = {"draws": 1, "support_sizes": (), "metrics": ["mae"], "resamples": 400}
        found = evaluate(models, splits, scenarios=["warm"], floors=False, **options)
        rows = [row for row in found.compare().rows if row["decision"] == "mean"]
        p = np.array([row["p_value"] for row in rows])
        assert len(p) == 190 and np.mean(p < 0.05) < 0.15 and 0.35 < np.median(p) < 0.65
        assert sum(row["p_holm"] < 0.05 for row in rows) <= 1

    def test_holm(self):
        from metarec.evaluation.comparison import with_holm

        rows = with_holm([{"p_value": p} for p in (0.04, 0.01, 0.03, float("nan"))])
        assert [row["p_holm"] for row in rows[:3]] == pytest.approx([0.06, 0.03, 0.06])
        assert np.isnan(rows[3]["p_holm"])


class TestGroups:
    def test_activity_counts_what_is_known(self, splits):
        training = splits.train_and_validation
        counts = np.bincount(training.user, minlength=training.user_count)
        known = {
            "warm": counts[splits.warm.users],
            "new_user": splits.new_user.support_counts,
            "new_item": counts[splits.new_item.users] + splits.new_item.support_counts,
        }
        for name, expected in known.items():
            found = activity(splits[name], training)
            assert sum(found.values()).tolist() == [1] * len(splits[name])
            assert 2 <= len(found) <= 4
            for label, mine in found.items():
                low, _, high = label.partition("-")
                assert (expected[mine].min(), expected[mine].max()) == (int(low), int(high or low))

    def test_popularity_thirds(self, splits):
        training = splits.train_and_validation
        counts = np.bincount(training.item, minlength=training.item_count)
        found = popularity(training)
        names = [label.partition(" ")[0] for label in found]
        assert names == ["new", "tail", "middle", "head"]
        assert sum(found.values()).tolist() == [1] * training.item_count
        assert (counts[found["new (0)"]] == 0).all()
        shares = [counts[mine].sum() / counts.sum() for mine in list(found.values())[1:]]
        # An item goes with those of its number: thirds but for one number's items.
        most = np.bincount(counts, counts)[1:].max() / counts.sum()
        np.testing.assert_allclose(shares, 1 / 3, atol=2 * most)

    def test_groups_pool_to_the_whole(self, report, splits):
        """Rows pool: the groups' errors, weighted by their rows, are the whole's."""
        errors, rows = 0.0, 0
        masks = popularity(splits.train_and_validation)
        drawn = [splits.warm.tasks(draw) for draw in range(2)]
        for row in report.breakdown("popularity", "mae", "warm", decision="mean").rows:
            if row["model"] == "bias":
                mask = masks[row["group"]]
                size = [np.count_nonzero(mask[t.item_index[t.query()[0]]]) for t in drawn]
                assert size[0] == size[1]  # the query of warm is the same in every draw
                errors, rows = errors + size[0] * row["value"], rows + size[0]
        whole = report.interval("bias", "warm", "mae", decision="mean").value
        assert errors / rows == pytest.approx(whole)

    def test_activity_is_the_metric_of_those_users(self, report, splits):
        table = report.breakdown("activity", "mae", "new_user")
        groups = activity(splits.new_user, splits.train_and_validation)
        assert table.groups == list(groups)
        for label, mine in groups.items():
            drawn = [splits.new_user.tasks(d).take(np.flatnonzero(mine)) for d in range(2)]
            expected = np.mean([np.abs(t.query_targets()[0] - 4).mean() for t in drawn])
            found = report.interval("skewed", "new_user", "mae", group=label)
            assert found.value == pytest.approx(expected) and found.tasks == mine.sum()
        assert "ratings known of the user" in repr(table)

    def test_frame_and_errors(self, report):
        frame = report.to_frame("pandas")
        assert {*frame.by.dropna()} == {"activity", "popularity"}
        assert frame[frame.by.notna()].support_size.isna().all()
        with pytest.raises(InvalidValueError, match="by: got 'age'"):
            report.breakdown("age")
        with pytest.raises(InvalidValueError, match=r"'ndcg@3' was not measured by popularity"):
            report.breakdown("popularity", "ndcg@3")


class TestFiles:
    def test_json_brings_everything_shown_back(self, report, tmp_path):
        report.save(tmp_path / "report.json")
        again = Report.load(tmp_path / "report.json")
        assert repr(again) == repr(report) and again.to_markdown() == report.to_markdown()
        one, other = again.to_frame("dict"), report.to_frame("dict")
        assert repr(one) == repr(other)  # NaN differs from itself
        pairs = again.compare().to_frame("dict"), report.compare().to_frame("dict")
        assert repr(pairs[0]) == repr(pairs[1])
        one, other = (each.compare("bias", "copies").to_frame("pandas") for each in (again, report))
        assert one.better.tolist() == other.better.tolist()
        for name in ("difference", "low", "high", "p_value", "p_holm"):
            np.testing.assert_allclose(one[name], other[name], atol=1e-12)
        assert repr(again.stability()) == repr(report.stability())
        assert repr(again.breakdown("activity")) == repr(report.breakdown("activity"))
        assert again.calibration().ece == report.calibration().ece
        assert again.info == report.info
        with pytest.raises(InvalidValueError, match="by_support_size"):
            again.compare("bias", "copies", by_support_size=True)

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "models": []}']
    )
    def test_what_is_no_report_is_refused(self, tmp_path, text):
        (tmp_path / "report.json").write_text(text)
        with pytest.raises(InvalidValueError, match="not a report"):
            Report.load(tmp_path / "report.json")

    def test_html_is_a_page(self, report, tmp_path):
        report.save(tmp_path / "report.html")
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>") and page.count("<table>") == page.count(
            "</table>"
        )
        assert report.info["data"]["hash"] in page and "Not checked for leaks" in page

    def test_it_says_what_the_numbers_depend_on(self, report, splits):
        info = json.loads(json.dumps(report.info))
        assert info["data"]["hash"] == splits.data.fingerprint
        assert info["split"]["split"] == "cold_start" and info["split"]["seed"] == 0
        assert info["split"]["hash"] == splits.fingerprint
        assert info["options"]["draws"] == 2 and info["options"]["seed"] == 0
        assert info["versions"]["metarec"] == mr.__version__
        assert [copy["seed"] for copy in info["models"]["copies"]] == [0, 1, 2]
        trained = info["models"]["bias"][0]["trained_on"]
        assert trained["ratings"] == len(splits.train_and_validation)
        for word in (info["data"]["hash"], info["split"]["hash"], "options.resamples"):
            assert word in report.to_markdown()


class TestFingerprints:
    def test_they_are_of_the_content(self):
        assert small_data().fingerprint == small_data().fingerprint
        assert small_data().fingerprint != small_data(seed=1).fingerprint
        data = small_data()
        assert data.view(data.rating > 2).fingerprint == data.fingerprint
        ratings = data.rating.copy()
        ratings[7] = 6 - ratings[7] if ratings[7] != 3 else 2
        other = mr.Dataset.from_arrays(data.user, data.item, ratings, timestamp=data.timestamp)
        assert other.fingerprint != data.fingerprint

    def test_of_a_split(self):
        data = small_data()
        one = split.cold_start(data, seed=0).fingerprint
        assert one == split.cold_start(small_data(), seed=0).fingerprint
        assert one != split.cold_start(data, seed=1).fingerprint
        assert one != split.cold_start(data, seed=0, query=5).fingerprint
