"""Absorption without a subtraction: state reduction after Grassmann, Taksar and Heyman (1985).

States are eliminated one after another; what goes through an eliminated state goes on to where it went. Only
non-negative numbers are added, multiplied and divided, so every result keeps its relative precision however slowly the
chain absorbs (O'Cinneide, Numerische Mathematik 65, 1993). It costs n**3 for each question, where a factorisation
answers all; it is what stands when that one cannot be trusted.
"""

from __future__ import annotations

import numpy as np

from datadriven.paths import Floats


def conversion_probability(weights: Floats) -> float:
    """Probability of ending in the conversion from state 0.

    Args:
        weights: (n, n + 2) non-negative; row s holds how often each state, the conversion and null follow state s. The
            diagonal is not read. Rows need not be normalised.
    """
    n = len(weights)
    left = weights.copy()
    np.fill_diagonal(left, 0.0)
    for state in range(n - 1, 0, -1):
        onward = np.delete(left[state], np.s_[state:n])
        total = onward.sum()
        entering = left[:state, state]
        if total > 0:
            through = entering[:, None] * (onward / total)[None, :]
            left[:state, :state] += through[:, :state]
            left[:state, n:] += through[:, state:]
            np.fill_diagonal(left[:state, :state], 0.0)
    conversion, null = left[0, n], left[0, n + 1]
    return float(conversion / (conversion + null))
