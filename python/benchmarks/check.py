"""Everybody computes the same meta-gradient, or nothing is timed."""

import numpy as np
from remote import Remote
from workload import Parameters

#: Of float32: the largest difference over the largest entry, in every parameter.
TOLERANCE = 1e-4


def difference(found: Parameters, expected: Parameters) -> float:
    """Return the largest difference in a parameter, relative to its largest entry."""
    assert found.keys() == expected.keys()
    return max(
        float(np.abs(found[name] - g).max() / max(np.abs(g).max(), 1e-12))
        for name, g in expected.items()
    )


def check(systems: list[Remote], reference: Remote) -> dict[str, float]:
    """Compare the prepared systems' gradients with the reference's. Errors: one that differs."""
    expected = reference.gradient()
    found = {}
    for system in systems:
        if system is not reference:
            found[system.name] = difference(system.gradient(), expected)
            if not found[system.name] <= TOLERANCE:
                raise RuntimeError(
                    f"{system.name}: its meta-gradient differs from {reference.name}'s "
                    f"by {found[system.name]:.1e}"
                )
    return found
