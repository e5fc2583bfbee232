"""Files of tables: `read_csv` and `parquet` give a table that every method of an MLP with
``columns="auto"`` takes; `RowBlocks`, and `parquet` with a target, give `MLP.fit` rows in blocks.

`sources` finds and opens files, `dialect` recognises how a CSV is written, `csv` reads it, `texts`
and `numerals` make numbers of its entries, and `building` columns; `arrow` reads Parquet and
Feather, `parquet_rows` blocks of Parquet files, `tables` chooses by the name's ending and reads in
blocks, `output` writes predictions.
"""

from cnn_core.blocks.source import RowBlocks
from cnn_core.io.csv import read_csv
from cnn_core.io.parquet_rows import parquet

__all__ = ["RowBlocks", "parquet", "read_csv"]
