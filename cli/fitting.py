"""From the counts of the store to a fit: what ``attribution train`` does between reading and publishing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from attribution.config import DAY_US
from datadriven import fit as fits
from datadriven.bootstrap import uncertainty
from datadriven.coalitions import SetCounts
from datadriven.counts import CONVERSION, NULL, TransitionCounts
from datadriven.fit import Terms
from datadriven.learned import Journeys, Options
from datadriven.parameters import Method, Parameters, sealed
from datadriven.paths import PathCounts

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from clickhouse.training import Stage

_ENDS: Final = {"conversion": CONVERSION, "null": NULL}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be fitted.

    ``order``: touches in a Markov state; ``positions``: ranks that the ordered Shapley value tells apart;
    ``replicates`` of the bootstrap (0: no intervals), which the learned model does not have; ``half_life_us``: in which
    a touch loses half of its weight there.
    """

    method: Method = "markov"
    order: int = 1
    replicates: int = 200
    positions: int = 4
    half_life_us: int = 7 * DAY_US


def fit(stage: Stage, asked: Asked, terms: Terms) -> Parameters:
    """A fit of the staged journeys, with intervals for its shares if they were staged with replicates.

    Raises:
        InvalidParameterError: an order or a number of replicates that cannot be used.
        StoreError: the store does not answer.
    """
    if asked.method == "learned":
        return _learned(stage, asked, terms)
    if asked.method == "markov":
        counts = transition_counts(stage.transitions(depth=asked.order), asked.order)
        first = next(counts)
        found = fits.fit_markov(first, terms)
        if found.status != "ok" or asked.replicates < 2:
            return found
        shares, drawn = fits.markov_shares(first), (fits.markov_shares(each) for each in counts)
    else:
        ordered = asked.method == "ordered_shapley"
        positions = asked.positions if ordered else 0
        sets = set_counts(stage.sets(positions=positions))
        one = next(sets)
        found = fits.fit_shapley(one, terms, positions=positions)
        if found.status != "ok" or asked.replicates < 2:
            return found
        shares = fits.shapley_shares(one, ordered=ordered)
        drawn = (fits.shapley_shares(each, ordered=ordered) for each in sets)
    return sealed(msgspec.structs.replace(found, uncertainty=uncertainty(shares, list(drawn))))


def _learned(stage: Stage, asked: Asked, terms: Terms) -> Parameters:
    options = Options(half_life_us=asked.half_life_us)
    found = journeys(stage.journeys(most=options.max_journeys, touches=options.max_touches))
    return fits.fit_learned(found, terms, options)


def journeys(table: pa.Table) -> Journeys:
    """Touched journeys with their times and the keys of their customers."""
    lists = table.column("channels").to_pylist()
    names = sorted({name for channels in lists for name in channels})
    place = {name: i for i, name in enumerate(names)}
    steps = np.array([place[name] for channels in lists for name in channels], np.int64)
    paths = PathCounts.from_columns(
        names, np.cumsum([0, *map(len, lists)]), steps, table.column("converted").to_numpy().astype(np.int64)
    )
    times = np.array([at for row in table.column("at").to_pylist() for at in row], np.int64)
    return Journeys(paths, times, table.column("customer").to_numpy().astype(np.uint64))


def transition_counts(table: pa.Table, order: int) -> Iterator[TransitionCounts]:
    """The counts themselves, then those of each replicate."""
    states, following = table.column("state").to_pylist(), table.column("next").to_pylist()
    kinds = table.column("kind").to_pylist()
    names = sorted({name for state in states for name in state if name} | {name for name in following if name})
    digit = {"": 0, **{name: i for i, name in enumerate(names, start=1)}}
    digits = np.array([[digit[name] for name in state] for state in states], np.int64).reshape(-1, order)
    nexts = [_ENDS.get(kind, digit[name]) for kind, name in zip(kinds, following, strict=True)]
    for counts in _columns(table, "journeys", "replicates"):
        yield TransitionCounts.from_columns(order, names, digits, nexts, counts)


def set_counts(table: pa.Table) -> Iterator[SetCounts]:
    """The counts themselves, then those of each replicate."""
    lists = table.column("channels").to_pylist()
    names = sorted({name for channels in lists for name in channels})
    place = {name: i for i, name in enumerate(names)}
    offsets = np.cumsum([0, *map(len, lists)])
    steps = np.array([place[name] for channels in lists for name in channels], np.int64)
    both = zip(
        _columns(table, "conversions", "replicate_conversions"),
        _columns(table, "nulls", "replicate_nulls"),
        strict=True,
    )
    for converted, nulls in both:
        yield SetCounts.from_paths(PathCounts.from_columns(names, offsets, steps, converted, nulls))


def _columns(table: pa.Table, name: str, replicates: str) -> Iterator[npt.NDArray[np.int64]]:
    """A column of counts, then as many more as its column of lists is wide."""
    yield table.column(name).to_numpy().astype(np.int64)
    lists: Sequence[Sequence[int]] = table.column(replicates).to_pylist()
    width = max(map(len, lists), default=0)
    wide = np.array([[*row, *[0] * (width - len(row))] for row in lists], np.int64).reshape(len(lists), width)
    yield from wide.T
