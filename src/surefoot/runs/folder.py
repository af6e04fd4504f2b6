"""A folder of files that appear whole or not at all, on a local disk or behind any fsspec URL."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

from surefoot.errors import BadInput, NotAvailable, OutOfSpace

TEMPORARY = ".tmp"
"""Ending of a file that is being written. Nobody reads such a file; the next writer removes it."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Folder:
    """The folder at `path`: a local path, `file://` or any URL that fsspec knows. Names are relative, with `/`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = os.fspath(path)
        self.path = given if given.endswith("://") else given.rstrip("/") or "/"
        self.fs, self.root = _resolve(self.path)
        self.is_local = "file" in _protocols(self.fs)

    def make(self, name: str = "") -> None:
        """Create the folder (or one inside it) and what is missing above it."""
        try:
            with out_of_space(self.path):
                self.fs.makedirs(self.full(name), exist_ok=True)
                if self.is_local:
                    _flush_folder(posixpath.dirname(self.full(name)))
        except OSError as error:
            reason = error.strerror or error
            raise BadInput(f'"{self.path}" cannot be made a folder ({reason}); choose another place.') from None

    def names(self, name: str = "") -> list[str]:
        """What lies directly in the folder (or in one inside it), sorted; empty where there is none."""
        place = self.full(name)
        self.fs.invalidate_cache(place)
        try:
            found = self.fs.ls(place, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(base for base in (posixpath.basename(str(path).rstrip("/")) for path in found) if base)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self.fs.exists(self.full(name)))

    def is_file(self) -> bool:
        """Whether the path is a file, so that it cannot be a folder."""
        return bool(self.fs.isfile(self.root))

    def read(self, name: str) -> bytes:
        """The file's bytes."""
        return cast(bytes, self.fs.cat_file(self.full(name)))

    def write(self, name: str, data: bytes) -> None:
        """Write the whole file, or, when that fails or the process dies, nothing."""
        with self.create(name) as file:
            file.write(data)

    @contextmanager
    def create(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write to, which takes its name (in the place of an older one) only when all of it is stored.

        On a local disk the bytes and the name are flushed to the device before this returns. Object stores have no
        rename; there fsspec copies the finished object, and the copy too appears whole or not at all.
        Raises `OutOfSpace` where the disk is full; what was there before is untouched.
        """
        temporary = name + TEMPORARY
        with out_of_space(self.path):
            try:
                with self._open_to_write(temporary) as file:
                    yield file
                    if self.is_local:
                        file.flush()
                        os.fsync(file.fileno())
                self.move(temporary, name)
            except BaseException:
                with suppress(OSError):
                    self.remove(temporary)
                raise

    def move(self, name: str, to: str) -> None:
        """Rename a file inside the folder, replacing what has that name."""
        with out_of_space(self.path):
            if self.is_local:
                os.replace(self.full(name), self.full(to))
                _flush_folder(posixpath.dirname(self.full(to)))
            else:
                self.fs.mv(self.full(name), self.full(to))

    def remove(self, name: str) -> None:
        """Remove a file; it is no error if there is none."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self.full(name))

    def full(self, name: str) -> str:
        """The path of a file as the file system `fs` names it; where the folder is local, an absolute path."""
        return f"{self.root}/{name}" if name else self.root

    def _open_to_write(self, name: str) -> IO[bytes]:
        return cast(IO[bytes], open(self.full(name), "wb") if self.is_local else self.fs.open(self.full(name), "wb"))


@contextmanager
def out_of_space(path: str) -> Iterator[None]:
    """Turn the operating system's "no space left" into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OutOfSpace(
            f'The disk of "{path}" is full; everything finished before is stored, so make room and give the same '
            "command again to go on from there."
        ) from error


def split(path: str | os.PathLike[str]) -> tuple[Folder, str]:
    """The folder that a file lies in, and the file's name."""
    folder = Folder(path)
    folder.root, _, name = folder.root.rpartition("/")
    if not name or os.fspath(path).endswith("/"):
        raise BadInput(f'"{os.fspath(path)}" names no file; give it a file name.')
    return folder, name


def _resolve(path: str) -> tuple[Any, str]:
    import fsspec

    try:
        fs, root = fsspec.core.url_to_fs(path)
    except ValueError as error:
        raise BadInput(f'"{path}" cannot be opened ({error}); give a local path or a URL that fsspec knows.') from None
    except ImportError as error:
        raise NotAvailable(f'"{path}" needs a package that is not installed: {error}.') from None
    return fs, str(root)


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _flush_folder(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
