"""What rows of credits differ from the values they divide: 0, always. Pure; exact int64 arithmetic on whole columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


def error_micros(rows: pa.Table) -> int:
    """Sum over conversions and models of ``|sum of credits - value|``, of a table that ``attribution_rows`` made.

    Deleted rows have no credits and do not count; a live one without any has lost its whole value, once per model.
    """
    is_live = rows["is_deleted"].to_numpy() == 0
    values = rows["value_micros"].to_numpy()
    by_touch = _whole(rows["t.value_micros"])
    n_touches = np.diff(by_touch.offsets.to_numpy())
    by_model = by_touch.flatten()
    n_models = np.diff(by_model.offsets.to_numpy())
    credits_ = by_model.flatten().to_numpy()
    n_of_row = np.diff(_whole(rows["models"]).offsets.to_numpy())
    lost = is_live & (n_touches == 0)
    error = int(np.abs(values[lost] * n_of_row[lost]).sum())
    row_of_touch = np.repeat(np.arange(len(values)), n_touches)
    first_credit = np.cumsum(n_models) - n_models
    for count in np.unique(n_models):
        chosen = np.flatnonzero(n_models == count)
        owners = row_of_touch[chosen]
        begins = np.flatnonzero(np.append(True, np.diff(owners) != 0)) if len(owners) else owners
        table = credits_[first_credit[chosen][:, None] + np.arange(count)]
        sums = np.add.reduceat(table, begins, axis=0)
        error += int(np.abs(sums - values[owners[begins]][:, None]).sum())
    return error


def _whole(column: Any) -> Any:
    """One array instead of chunks, without an offset in front."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
