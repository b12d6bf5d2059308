"""What a mixture learns from held-out rows."""

import numpy as np
import pytest

from metarec.blend import best_weights, logs_of, weights_by_kind
from metarec.mixture import Mixture


def test_nothing_held_out_leaves_the_factorisation():
    mixture = Mixture.learned(["factorisation", "offsets"], [], np.arange(5.0))
    assert all(weights.tolist() == [0, 1, 0] for weights in mixture.weights.values())


def test_counts_are_repetitions():
    rng = np.random.default_rng(0)
    logs = np.log(rng.dirichlet(np.ones(3), (2, 40)))
    hits, counts = rng.integers(0, 3, 40), rng.integers(0, 4, 40)
    repeated = np.repeat(np.arange(40), counts)
    expected = best_weights(logs[:, repeated], hits[repeated])
    np.testing.assert_allclose(best_weights(logs, hits, counts), expected, atol=1e-3)


@pytest.mark.parametrize("new", [0, 2, 2000])
def test_few_rows_of_a_kind_are_decided_by_the_other(new):
    # Known items are told by the first model, new ones by the second.
    right, wrong = [0.8, 0.2], [0.3, 0.7]
    known = np.arange(4000) >= new
    first = np.where(known[:, None], right, wrong)
    second = np.where(known[:, None], wrong, right)
    hits = np.zeros(4000, np.int64)
    weights = weights_by_kind(logs_of([first, second]), hits, known)
    assert weights["known"][0] > 0.9
    assert weights["new"][1] > 0.9 if new == 2000 else weights["new"][0] > 0.9
