"""A run: a folder of rows that survives whatever happens to the process that writes it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from surefoot.errors import BadInput, SurefootError
from surefoot.runs import lock, record, shards
from surefoot.runs.cells import Cells
from surefoot.runs.folder import TEMPORARY, Folder
from surefoot.runs.rows import CELL
from surefoot.runs.settings import RunSettings
from surefoot.runs.shards import Shard

_OWN = frozenset({lock.LOCK, record.RECORD, record.SUMMARY, record.DONE, shards.ROWS, shards.DAMAGED})
_FEW_SHARDS = 8  # as many are left alone when a run is finished


class Run:
    """One run folder, open for writing by this process alone.

    ```
    runs/x/run.json           what was run, with what, when; written first
           rows/000001.parquet ...  shards of rows, each stored whole
           damaged/           shards that were set aside
           summary.json       what `finish` was given
           DONE               the marker, written last
           lock               who is writing
    ```

    Kill the process at any moment and open the folder again with the same settings: `done()` has exactly the cells
    whose shard was stored, and no cell can be appended twice. What a folder holds is read with
    `surefoot.runs.read_rows`.
    """

    def __init__(self, folder: Folder, settings: RunSettings, held: lock.Lock) -> None:
        self._folder, self.settings, self._lock = folder, settings, held
        found = _agreed_record(folder, settings)
        self._record = found or _fresh_record(folder, settings)
        if found is None:
            record.write_json(folder, record.RECORD, self._record)
        self._is_noted = found is None
        self.damaged: list[str] = []
        """A sentence for each shard that was set aside when the run was opened."""
        self._schema = record.schema_of(self._record)
        self._cells: Cells | None = None
        self._sizes: dict[Shard, int] = {}
        self._next = 1
        self._scan()

    @classmethod
    def open(cls, path: str | os.PathLike[str], settings: RunSettings) -> Self:
        """Open the folder, or make it, and take its lock. Use as a context manager, or call `close()`.

        `path` is a local path or any fsspec URL. Leftovers of a killed process are removed; a damaged shard is moved to
        `damaged/`, logged, named in `run.damaged`, and its cells count as not done.
        Raises `RunInUse` (another process writes there), `BadInput` (the folder is something else, or holds a run with
        another identity), `OutOfSpace`.
        """
        folder = Folder(path)
        try:
            _refuse_foreign(folder)
            folder.make(shards.ROWS)
            held = lock.acquire(folder)
            try:
                _remove_leftovers(folder)
                return cls(folder, settings, held)
            except BaseException:
                held.release()
                raise
        except PermissionError:
            raise BadInput(f'"{folder.path}" may not be written by this user; choose another place.') from None

    @property
    def path(self) -> str:
        """The folder, as it was given."""
        return self._folder.path

    @property
    def is_finished(self) -> bool:
        """Whether the marker is there: every planned row is stored, and so is the summary."""
        return self._folder.exists(record.DONE)

    def done(self) -> Cells:
        """The cells whose rows are stored. A set of `Cell`; grows as rows are appended."""
        return self._scan() if self._cells is None else self._cells

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store the rows as one shard: all of them or, when this raises or the process dies, none.

        Keys that a row leaves out are null. Raises `BadInput` for a row that does not fit the run's columns or whose
        cell is stored already, `OutOfSpace`, `RunInUse` (the lease of a remote folder was lost).
        Cost: one small file and, on a local disk, three flushes to it; append some dozens of rows at a time.
        """
        if not rows:
            return
        table = shards.table_of(rows, self._schema)
        _refuse_doubles(rows, self.done())
        self._begin()
        shard = Shard(self._next, self._next)
        self._next += 1
        try:
            shards.write_shard(self._folder, shard, table)
            shards.add_cells(table, self.done())
            self._sizes[shard] = len(rows)
        except BaseException:
            self._cells = None  # an interrupt may have come before or after the shard got its name: look again
            raise

    def compact(self) -> None:
        """Merge many small shards into few. Raises `SurefootError` if a shard turns out to be damaged, `OutOfSpace`."""
        self._lock.check()
        stored = len(self.done())
        if len(self._sizes) <= _FEW_SHARDS:
            return
        with suppress(shards.DamagedShard):  # the scan names it and sets it aside
            shards.merge_shards(self._folder, self._sizes, self._schema)
        if len(self._scan()) < stored:
            raise SurefootError(f"{self.damaged[-1]} Give the same command again to go on.")

    def finish(self, summary: Mapping[str, Any] | None = None, *, compact: bool = True) -> None:
        """Store the summary and, last of all, the marker. `compact` first merges many small shards into few.

        May be called again, on a finished run too; the newest summary counts. Raises `OutOfSpace`; the rows stay.
        Raises what `compact` raises.
        """
        self._lock.check()
        if compact:
            self.compact()
        if summary is not None:
            record.write_json(self._folder, record.SUMMARY, dict(summary))
        self._record = {**self._record, "settings": dict(self.settings.settings), "finished": record.now()}
        record.write_json(self._folder, record.RECORD, self._record)
        marker = {"finished": self._record["finished"], "rows": len(self.done())}
        record.write_json(self._folder, record.DONE, marker)

    def write_json(self, name: str, value: Any) -> None:
        """Store one more document in the folder, whole, for instance the first prompts (`prompts.json`)."""
        if not name.endswith(".json") or "/" in name or name in _OWN:
            raise BadInput(f'"{name}" cannot name a document of a run; choose a free name that ends in ".json".')
        self._lock.check()
        record.write_json(self._folder, name, value)

    def close(self) -> None:
        """Release the lock. The run can be opened again."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        """Before a shard is written: the lock must hold, the marker go, and the record say who goes on."""
        self._lock.check()
        was_finished = self.is_finished
        self._withdraw()
        if self._is_noted and not was_finished:
            return
        self._record = {**self._record, "finished": None} if self._is_noted else record.resumed(self._record)
        record.write_json(self._folder, record.RECORD, self._record)
        self._is_noted = True

    def _withdraw(self) -> None:
        """What was said of the finished run holds no longer."""
        self._folder.remove(record.DONE)
        self._folder.remove(record.SUMMARY)

    def _scan(self) -> Cells:
        """Read the cells of every shard; set damaged shards aside and remove those that a merged one replaces."""
        found = shards.shards_of(self._folder.names(shards.ROWS))
        cells, sizes, damaged = Cells(), {}, False
        for shard in found.live:
            try:
                table = shards.read_shard(self._folder, shard, self._schema)
                if not shards.add_cells(table, cells):
                    raise shards.DamagedShard("it has rows a second time")
                sizes[shard] = table.num_rows
            except shards.DamagedShard as error:
                self._set_aside(shard, str(error))
                damaged = True
        if damaged:
            return self._scan()  # what a merged shard took the place of, if it is still there, counts again
        for shard in found.superseded:
            self._folder.remove(shard.name)
        self._cells, self._sizes = cells, sizes
        self._next = max(self._next, *(shard.last + 1 for shard in found.live), 1)
        return cells

    def _set_aside(self, shard: Shard, reason: str) -> None:
        self._withdraw()
        place = shards.set_aside(self._folder, shard)
        sentence = (
            f'The shard "{shard.name}" of "{self.path}" is damaged ({reason}); it is set aside as "{place}", '
            "and its rows are computed again."
        )
        logging.getLogger("surefoot.runs").warning(sentence)
        self.damaged.append(sentence)


def _fresh_record(folder: Folder, settings: RunSettings) -> dict[str, Any]:
    return {**record.new_record(settings), "working_folder": record.working_folder(folder)}


def _agreed_record(folder: Folder, settings: RunSettings) -> dict[str, Any] | None:
    """The folder's record if it is of the same run, None if the folder is new."""
    if folder.exists(record.RECORD):
        found = record.load_record(folder)
        record.check_record(folder.path, found, settings)
        return found
    if folder.names(shards.ROWS):
        raise BadInput(f'"{folder.path}" has rows but no {record.RECORD}; choose another folder with --out.')
    return None


def _refuse_foreign(folder: Folder) -> None:
    if folder.is_file():
        raise BadInput(f'"{folder.path}" is a file; give a folder with --out.')
    names = folder.names()
    if record.RECORD in names:
        return
    foreign = next((name for name in names if name.removesuffix(TEMPORARY) not in _OWN), None)
    if foreign is not None:
        raise BadInput(f'"{folder.path}" is no run folder (it holds "{foreign}"); give a new folder with --out.')


def _remove_leftovers(folder: Folder) -> None:
    for place in ("", f"{shards.ROWS}/"):
        for name in folder.names(place.rstrip("/")):
            if name.endswith(TEMPORARY):
                folder.remove(place + name)


def _refuse_doubles(rows: Sequence[Mapping[str, Any]], done: Cells) -> None:
    fresh = Cells()
    for row in rows:
        cell = tuple(row[name] for name in CELL)
        if cell in done or not fresh.add(cell):
            raise BadInput(f"The row of the cell {cell} is there already; append each cell once.")
