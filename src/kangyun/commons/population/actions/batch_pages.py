"""Pages of newcomers as columns (Arrow's stream format), which go from process to process and into the batch as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from kangyun.commons.population.model import Newcomer


def packed(newcomers: Sequence[Newcomer]) -> bytes:
    """A page for `Batch.receive`."""
    import pyarrow as pa  # noqa: PLC0415 - the web process never links in batch and must not load it

    several = pa.list_(pa.int64())
    types = {"resident": pa.int64(), "version": pa.int32(), "numbers": several, "locks": several, "keys": several}
    columns = zip(Newcomer._fields, zip(*newcomers, strict=True), strict=True)
    return _written(pa.table({name: pa.array(column, types.get(name, pa.string())) for name, column in columns}))


def unpacked(page: bytes) -> list[list[Newcomer]]:
    """The groups of a page of `Batch.newcomers`."""
    columns = [_values(column) for column in table(page).combine_chunks().columns]
    return [[Newcomer(*row[1:]) for row in group] for _, group in groupby(zip(*columns, strict=True), itemgetter(0))]


def table(page: bytes) -> Any:
    """A page as an Arrow table."""
    import pyarrow as pa  # noqa: PLC0415

    return pa.ipc.open_stream(page).read_all()


def cut(rows: Any, sizes: Iterable[int]) -> Iterator[bytes]:
    """Pages of so many records each out of an Arrow reader."""
    import pyarrow as pa  # noqa: PLC0415

    read = rows.schema.empty_table()
    for size in sizes:
        while read.num_rows < size:
            read = pa.concat_tables([read, pa.Table.from_batches([rows.read_next_batch()])])
        yield _written(read.slice(0, size))
        read = read.slice(size)


def _written(rows: Any) -> bytes:
    import pyarrow as pa  # noqa: PLC0415

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


def _values(column: Any) -> list[Any]:
    """What stands in a column. Lists of numbers are cut out of one: the library would make an object of each number first."""
    whole = column.chunk(0)
    if not hasattr(whole, "offsets"):
        return whole.to_pylist()
    numbers = whole.values.to_numpy().tolist()
    return [numbers[start:end] for start, end in pairwise(whole.offsets.to_numpy().tolist())]
