"""Files whose rows ranks share: each reads its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cnn_core.data.shards import shard_bounds
from cnn_core.distributed.pieces import Pieces
from cnn_core.distributed.rows import Shared
from cnn_core.io.sources import expand

if TYPE_CHECKING:
    from cnn_core.distributed.ranks import Ranks
    from cnn_core.io.places import FileTable

#: What `Ranks.open` gives.
Opened: TypeAlias = "Shared | tuple[Shared, ...] | tuple[FileTable, str]"


def open_files(ranks: Ranks, files: Sequence[Any], target: str | None) -> Opened:
    """See `Ranks.open`."""
    if not files:
        raise TypeError("ranks.open needs the name of a file")
    if target is not None:
        return _parquet(ranks, files, target), target
    opened = tuple(Shared(_maps(expand(one))) for one in files)
    return opened[0] if len(opened) == 1 else opened


def _maps(paths: Sequence[str]) -> Any:
    arrays = []
    for path in paths:
        if not path.endswith(".npy"):
            raise ValueError(
                f"ranks.open reads .npy files, and with target= Parquet files, got {path}"
            )
        arrays.append(np.load(path, mmap_mode="r"))
    return arrays[0] if len(arrays) == 1 else Pieces(arrays, paths)


def _parquet(ranks: Ranks, files: Sequence[Any], target: str) -> FileTable:
    """This rank's rows of Parquet files, with the column to predict: of all rows an even share."""
    from cnn_core.io.arrow import called, check_names, common_schema, read_footer, table_of
    from cnn_core.io.sources import need_pyarrow

    paths = [path for one in files for path in expand(one)]
    for path in paths:
        if os.path.splitext(path)[1] != ".parquet":
            raise ValueError(f"ranks.open with target= reads Parquet files, got {path}")
    pyarrow, names = need_pyarrow(paths[0]), check_names(paths, None)
    if target not in names:
        raise ValueError(f"{paths[0]} has no column {target!r}, which target= names")
    footers = [read_footer(path) for path in paths]
    bounds = shard_bounds(sum(footer.num_rows for footer in footers), ranks.size)
    first, end = bounds[ranks.rank : ranks.rank + 2]
    types = common_schema(paths, names)  # those of this rank's files would be others
    parts = [
        pyarrow.Table.from_batches([batch]).cast(types, safe=False)
        for batch in _batches(paths, footers, names, first, end)
    ]
    return table_of(pyarrow.concat_tables([types.empty_table(), *parts]), called(paths), first)


def _batches(
    paths: Sequence[str], footers: Sequence[Any], names: Sequence[str], first: int, end: int
) -> Iterator[Any]:
    """The rows first .. end - 1 of all files; no other row group is read."""
    from cnn_core.io.arrow import batches

    row = 0
    for path, footer in zip(paths, footers):
        for group in range(footer.num_row_groups):
            size = footer.row_group(group).num_rows
            if row + size <= first or row >= end:
                row += size
                continue
            for batch in batches(path, names, group=group, footer=footer):
                low, high = max(first - row, 0), min(end - row, batch.num_rows)
                if low < high:
                    yield batch.slice(low, high - low)
                row += batch.num_rows
