"""Reading runs: the rows of one run or many as one table, and what runs a folder has."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from surefoot.errors import BadInput
from surefoot.runs.folder import Folder
from surefoot.runs.record import DONE, RECORD, load_record, schema_of
from surefoot.runs.shards import DamagedShard, live_shards, read_shard

Found = TypeVar("Found")
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

RUN = pa.field("run", pa.string(), nullable=False)
"""The last column of what is read: the run folder that the row is from, as its path was given."""

_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
}
_NARROW: Mapping[str, Any] = {"batch_readahead": 1, "fragment_readahead": 1, "use_threads": False}
_RETRIES = 5  # a run that is being merged while it is read


def read_rows(paths: Paths) -> pa.Table:
    """The rows of one run or several, in the order in which they were stored, with a last column `run`.

    Runs of different probes may have different columns; a column that a run does not have is null there. Rows that
    were computed a second time (`recheck`) are among them. Runs may be in the making: the rows are those stored so far.
    Raises `BadInput` for a folder that is no run and for a damaged shard, which it names.
    Relations: `query_rows` reads less where less is needed.
    """
    folders = _folders(paths)
    return query_rows(paths, "SELECT * FROM rows").cast(schema_of_runs(folders))


def scan_rows(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    where: pc.Expression | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Some columns of some rows of one run, in the order in which they were stored; memory grows with the result.

    `where` is an Arrow expression over the run's columns. Raises `BadInput` as `read_rows` does.
    """
    (folder,) = _folders(path)

    def scan() -> pa.Table:
        scanner = dataset_of([folder]).scanner(columns=list(columns), filter=where, **_NARROW)
        return scanner.to_table() if limit is None else scanner.head(limit)

    return _steady([folder], scan, (pa.ArrowException, OSError))


def distinct(path: str | os.PathLike[str], column: str, where: pc.Expression | None = None) -> list[Any]:
    """The distinct values of a column, in the order in which they first stand; memory grows with their number."""
    (folder,) = _folders(path)

    def scan() -> list[Any]:
        found: dict[Any, None] = {}
        for batch in dataset_of([folder]).scanner(columns=[column], filter=where, **_NARROW).to_batches():
            found |= dict.fromkeys(pc.unique(batch.column(0)).to_pylist())
        return list(found)

    return _steady([folder], scan, (pa.ArrowException, OSError))


def columns_of(path: str | os.PathLike[str]) -> list[str]:
    """The names of the columns of one run, from its record."""
    return list(schema_of_runs(_folders(path)).names)


def count_rows(path: str | os.PathLike[str]) -> int:
    """How many rows a run has, rechecks among them; reads none of them."""
    (folder,) = _folders(path)
    return _steady([folder], lambda: int(dataset_of([folder]).count_rows()), (pa.ArrowException, OSError))


def query_rows(paths: Paths, sql: str) -> pa.Table:
    """The result of a DuckDB query over the view `rows`, which has the columns of `read_rows`.

    Shards are streamed, so memory grows with the result and not with the runs.

    For instance `query_rows("runs/x", "SELECT wording, avg(score) FROM rows WHERE NOT recheck GROUP BY wording")`.
    Raises `BadInput` as `read_rows` does, and DuckDB's own error for a query that it cannot run.
    """
    folders = _folders(paths)

    def query() -> pa.Table:
        with duckdb.connect(config=_OFFLINE) as connection:
            connection.register("rows", dataset_of(folders))
            return connection.sql(sql).to_arrow_table()

    return _steady(folders, query, (duckdb.Error, OSError))


def dataset_of(folders: Sequence[Folder]) -> ds.Dataset:
    """The shards of all folders as one Arrow dataset of `schema_of_runs`, page checksums verified."""
    schema = schema_of_runs(folders)
    options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    format = ds.ParquetFileFormat(default_fragment_scan_options=options)
    parts = [ds.FileSystemDataset(_fragments(folder, format), schema, format) for folder in folders]
    return parts[0] if len(parts) == 1 else ds.dataset(parts, schema=schema)


def schema_of_runs(folders: Sequence[Folder]) -> pa.Schema:
    """The columns of all runs together, and `run` last; a column that some run lacks may be null."""
    schemas = [schema_of(load_record(folder)) for folder in folders]
    everywhere = set.intersection(*(set(schema.names) for schema in schemas))
    together = pa.unify_schemas(schemas)
    return pa.schema([f if f.name in everywhere else f.with_nullable(True) for f in together] + [RUN])


class RunInfo(NamedTuple):
    """A line of `surefoot runs`. `problem` says why a run cannot be read; then the fields are empty."""

    path: str
    probe: str = ""
    model: str = ""
    tasks: tuple[str, ...] = ()
    identity: str = ""
    started: str = ""
    is_finished: bool = False
    rows: int = 0
    problem: str = ""


def list_runs(parent: str | os.PathLike[str] = "runs") -> list[RunInfo]:
    """The runs directly inside a folder, oldest first. Reads no rows, only how many there are."""
    folder = Folder(parent)
    places = (Folder(f"{folder.path.rstrip('/')}/{name}") for name in folder.names())
    return sorted(
        (_info(place) for place in places if place.exists(RECORD)), key=lambda info: (info.started, info.path)
    )


def _steady(folders: Sequence[Folder], read: Callable[[], Found], failures: tuple[type[Exception], ...]) -> Found:
    """What `read` gives, tried again where the shards were merged meanwhile; a damaged shard is named."""
    for attempt in range(_RETRIES):
        before = [live_shards(folder) for folder in folders]
        try:
            return read()
        except failures:
            if attempt + 1 < _RETRIES and before != [live_shards(folder) for folder in folders]:
                continue
            name_damage(folders)
            raise
    raise AssertionError("the last attempt returns or raises")


def _folders(paths: Paths) -> list[Folder]:
    """The open run folders; `BadInput` for one that is none, or given twice."""
    folders = [Folder(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    seen = set()
    for folder in folders:
        load_record(folder)
        if (place := (folder.fs.protocol, folder.root)) in seen:
            raise BadInput(f'The run "{folder.path}" is given twice, which would double its rows; give it once.')
        seen.add(place)
    return folders


def _info(folder: Folder) -> RunInfo:
    try:
        record = load_record(folder)
        rows = sum(_count(folder, shard.name) for shard in live_shards(folder))
    except (BadInput, DamagedShard) as error:
        return RunInfo(folder.path, problem=str(error))
    return RunInfo(
        folder.path,
        probe=str(record.get("probe", "")),
        model=str(record.get("model", {}).get("name", "")),
        tasks=tuple(record.get("tasks", {})),
        identity=str(record.get("identity", "")),
        started=str(record.get("started", "")),
        is_finished=folder.exists(DONE),
        rows=rows,
    )


def _count(folder: Folder, name: str) -> int:
    try:
        with folder.fs.open(folder.full(name), "rb") as file:
            return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError):
        raise DamagedShard(f'The shard "{name}" of "{folder.path}" is damaged; {_REMEDY}.') from None


def _fragments(folder: Folder, format: ds.ParquetFileFormat) -> list[Any]:
    from pyarrow.fs import FSSpecHandler, LocalFileSystem, PyFileSystem

    fs = LocalFileSystem() if folder.is_local else PyFileSystem(FSSpecHandler(folder.fs))
    is_run = ds.field("run") == folder.path
    names = [folder.full(shard.name) for shard in live_shards(folder)]
    return [format.make_fragment(name, fs, partition_expression=is_run) for name in names]


def name_damage(folders: Sequence[Folder]) -> None:
    """Raise `BadInput` for the first damaged shard, if there is one."""
    for folder in folders:
        schema = schema_of(load_record(folder))
        for shard in live_shards(folder):
            try:
                read_shard(folder, shard, schema)
            except DamagedShard as error:
                sentence = f'The shard "{shard.name}" of "{folder.path}" is damaged ({error}); {_REMEDY}.'
                raise BadInput(sentence) from None


_REMEDY = "give the command that made the run again, and it is set aside and computed anew"
