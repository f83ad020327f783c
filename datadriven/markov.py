"""Exact absorption of a transition chain, and every channel's removal effect from one factorisation.

With ``Q`` the probabilities between states and ``r`` those to the conversion, ``x = (I - Q)^-1 r`` is the probability
of converting from each state. Removing a channel sends every edge into its states ``S`` (those whose last channel it
is) to null. With ``N = (I - Q)^-1`` that leaves

    x' = x - N[:, S] N[S, S]^-1 x[S]

since ``N[:, S] N[S, S]^-1`` is the probability of entering ``S`` first at each of its states (Kemeny and Snell, *Finite
Markov Chains*, 1960, theorem 3.5.7, for one state; the block form is the Woodbury identity for a change of rank
``|S|``). At order 1: ``RE(c) = N[0, c] x[c] / (N[c, c] x[0])``. Removal effect: Anderl et al. 2016, doi
10.1016/j.ijresmar.2016.03.001.

No answer is trusted: each ``x'`` is put into its own equations, and the residual bounds its error (``_error_bounds``).
Beyond ``TOLERANCE`` the chain is solved again without subtraction (``datadriven.reduction``), which no ill-conditioning
harms. Staying in a state changes neither, so transitions of a state to itself are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from attribution.errors import InvalidParameterError
from datadriven.counts import CONVERSION, TransitionCounts
from datadriven.paths import Floats, Integers
from datadriven.reduction import conversion_probability

#: Largest accepted error of a removal effect, relative to the conversion probability.
TOLERANCE: Final = 1e-10
#: Up to so many states the inverse's columns are taken from the factorisation; more are solved by iteration.
MAX_FACTORISED: Final = 2_000
_MAX_ROUNDS: Final = 20_000
_BLOCK: Final = 16

Solver: TypeAlias = Literal["factorised", "iterated", "reduced"]


@dataclass(frozen=True, slots=True)
class MarkovFit:
    """What a chain says. ``removal_effects[i]`` belongs to ``channels[i]``, from 0 to 1.

    ``error_bound`` is proven for every removal effect (0 for the subtraction-free solver, which loses a few units of
    the last place only).
    """

    order: int
    channels: tuple[str, ...]
    conversion_probability: float
    removal_effects: tuple[float, ...]
    solver: Solver
    error_bound: float


class _Chain(NamedTuple):
    """States in columns; ``last[s]`` is the channel of state s (-1: the start, which is state 0)."""

    inner: sparse.csr_array
    convert: Floats
    last: Integers
    source: Integers
    target: Integers
    counts: Integers


def fit(counts: TransitionCounts) -> MarkovFit:
    """Conversion probability and removal effects of counts.

    The conversion probability is the observed rate (an empirical chain reproduces it at every order).

    Raises:
        InvalidParameterError: no conversion, counts that no set of journeys gives, or a chain too large and too slow to
            absorb to be solved to ``TOLERANCE``.
    """
    counts.require_journeys()
    if counts.conversions == 0:
        raise InvalidParameterError("counts", 0, "fit journeys of which at least one converted")
    chain = _chain(counts)
    solver: Solver = "factorised" if len(chain.last) <= MAX_FACTORISED else "iterated"
    found = _factorised(chain, counts) if solver == "factorised" else _iterated(chain, counts)
    if found is None:
        return _reduced(chain, counts)
    start, bound = found
    effects = np.clip(1.0 - start[1:] / start[0], 0.0, 1.0)
    return MarkovFit(counts.order, counts.channels, float(start[0]), tuple(effects.tolist()), solver, bound)


def _chain(counts: TransitionCounts) -> _Chain:
    states = np.unique(counts.states)
    source = np.searchsorted(states, counts.states)
    target = np.full(len(source), -1)
    to_channel = counts.nexts > 0
    target[to_channel] = np.searchsorted(states, counts.next_states()[to_channel])
    moves = source != target
    n, numbers = len(states), counts.counts.astype(np.float64)
    totals = np.bincount(source[moves], numbers[moves], minlength=n)
    share = np.divide(numbers, totals[source], out=np.zeros(len(source)), where=moves)
    inner = moves & to_channel
    matrix = sparse.csr_array((share[inner], (source[inner], target[inner])), shape=(n, n))
    ends = counts.nexts == CONVERSION
    convert = np.bincount(source[ends], share[ends], minlength=n).astype(np.float64)
    target[ends] = n
    target[(~to_channel) & (~ends)] = n + 1
    last = states % (len(counts.channels) + 1) - 1
    return _Chain(matrix, convert, last, source[moves], target[moves], counts.counts[moves])


def _allowed(chain: _Chain, removed: Integers) -> npt.NDArray[np.bool_]:
    """(states, removals): whether a state is still there; removal -1 removes nothing."""
    return np.asarray((chain.last[:, None] != removed[None, :]) | (removed[None, :] < 0))


def _factorised(chain: _Chain, counts: TransitionCounts) -> tuple[Floats, float] | None:
    """Start's conversion probability, whole and without each channel, from one sparse LU; None: not good enough."""
    n = len(chain.last)
    try:
        factors = splu(sparse.csc_array(sparse.eye_array(n) - chain.inner))
    except RuntimeError:  # singular in doubles
        return None
    whole = factors.solve(chain.convert)
    visits = factors.solve(np.eye(n))
    removed = np.arange(-1, len(counts.channels))
    columns = np.repeat(whole[:, None], len(removed), axis=1)
    for channel in removed[1:]:
        states = np.flatnonzero(chain.last == channel)
        try:
            hits = np.linalg.solve(visits[np.ix_(states, states)], whole[states])
        except np.linalg.LinAlgError:
            return None
        columns[:, channel + 1] -= visits[:, states] @ hits
        columns[states, channel + 1] = 0.0
    steps = factors.solve(np.ones(n))
    return _proven(columns[0], _error_bounds(chain, columns, removed, steps))


def _error_bounds(chain: _Chain, columns: Floats, removed: Integers, steps: Floats) -> Floats:
    """Bound of the start's error in each column; infinite where nothing can be proven.

    ``N`` has no negative entry, and removing states only lowers it. So a residual of at most ``e`` everywhere moves
    the start by at most ``e (N 1)[0]``, and ``N 1 <= 2 steps`` as soon as ``(I - Q) steps >= 1/2`` everywhere. What
    the rounding of ``Q`` and of the residual itself may hide (a unit for each term of a sum of non-negative numbers)
    is added.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = _allowed(chain, removed)
        residual = np.where(allowed, chain.convert[:, None] + chain.inner @ columns, 0.0) - columns
        hidden = (np.diff(chain.inner.indptr) + 3)[:, None] * np.finfo(np.float64).eps * np.abs(columns)
        proven = bool((steps >= 0).all() and (steps - chain.inner @ steps >= 0.5).all())
    if not proven or not np.isfinite(columns).all():
        return np.full(len(removed), np.inf)
    return np.asarray(2.0 * steps[0] * (np.abs(residual) + hidden).max(axis=0))


def _proven(start: Floats, bounds: Floats) -> tuple[Floats, float] | None:
    if not (np.isfinite(bounds).all() and start[0] > bounds[0]):
        return None
    worst = float((bounds.max() + bounds[0]) / (start[0] - bounds[0]))
    return (start, worst) if worst <= TOLERANCE else None


def _iterated(chain: _Chain, counts: TransitionCounts) -> tuple[Floats, float] | None:
    """The same for many states: ``x <- r + Q x`` on the states that are left, until the bound is small enough."""
    steps = np.zeros(len(chain.last))
    for _ in range(_MAX_ROUNDS):
        following = 1.0 + chain.inner @ steps
        if float((following - steps).max()) <= 0.5:
            break
        steps = following
    removed = np.arange(-1, len(counts.channels))
    rate = counts.conversions / (counts.conversions + counts.nulls)
    starts, bounds = [], []
    for first in range(0, len(removed), _BLOCK):
        some = removed[first : first + _BLOCK]
        allowed = _allowed(chain, some)
        columns = np.where(allowed, chain.convert[:, None], 0.0)
        for _ in range(_MAX_ROUNDS):
            following = np.where(allowed, chain.convert[:, None] + chain.inner @ columns, 0.0)
            change, columns = float(np.abs(following - columns).max()), following
            if 2.0 * steps[0] * change <= TOLERANCE * rate / 8:
                break
        starts.append(columns[0])
        bounds.append(_error_bounds(chain, columns, some, steps))
    return _proven(np.concatenate(starts), np.concatenate(bounds))


def _reduced(chain: _Chain, counts: TransitionCounts) -> MarkovFit:
    n = len(chain.last)
    if n > MAX_FACTORISED:
        raise InvalidParameterError("order", counts.order, f"{n} states absorb too slowly; give a lower order")
    whole = np.zeros((n, n + 2))
    whole[chain.source, chain.target] = chain.counts
    found = conversion_probability(whole)
    effects = []
    for channel in range(len(counts.channels)):
        states = chain.last == channel
        left = whole.copy()
        left[:, n + 1] += left[:, :n][:, states].sum(axis=1)
        left[:, :n][:, states] = 0.0
        effects.append(1.0 - conversion_probability(left) / found)
    return MarkovFit(counts.order, counts.channels, found, tuple(effects), "reduced", 0.0)
