"""One writer a run folder.

Local folders: a file lock of the operating system (`flock`), which ends with the process however it dies. It also
holds between machines on NFS where the server offers locks.

Other file systems have no such lock, so a lease file is kept there and renewed by a thread. What holds: a second
process is refused while the first one lives; a lease whose process is known to be dead (same kernel, same process
space) is taken over at once, any other when it has not been renewed for `TERM` seconds by the clocks of the two
machines. What does not: two processes that take over an old lease in the same moment, or start together on a store that
cannot create a file only if absent, may both begin; each reads the lease before every write, so the one that lost it
stops there, but a shard that both were writing then may be lost, and its cells are computed again.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from surefoot.errors import BadInput, RunInUse
from surefoot.runs.folder import Folder, out_of_space

LOCK = "lock"
TERM = 300.0  # seconds


class Lock(Protocol):
    """What a run asks of its lock."""

    def check(self) -> None:
        """Raise `RunInUse` if the lock was lost."""

    def release(self) -> None:
        """Let the next process in."""


def acquire(folder: Folder) -> Lock:
    """The folder's lock. Raises `RunInUse`, naming the process that has it."""
    return FileLock(folder) if folder.is_local else Lease(folder)


class FileLock:
    """An exclusive `flock` on the file `lock`, which keeps the holder's process number for the sentence."""

    def __init__(self, folder: Folder) -> None:
        import fcntl

        with out_of_space(folder.path):
            self._handle = os.open(folder.full(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with out_of_space(folder.path):
                os.ftruncate(self._handle, os.pwrite(self._handle, str(os.getpid()).encode(), 0))
        except BlockingIOError:
            holder = _holder(self._handle)
            os.close(self._handle)
            raise in_use(folder.path, holder) from None
        except OSError as error:
            os.close(self._handle)
            raise BadInput(
                f'"{folder.path}" cannot be locked ({error.strerror}); choose a folder on another disk.'
            ) from None
        except BaseException:
            os.close(self._handle)
            raise

    def check(self) -> None:
        """The operating system takes no lock away from a living process."""

    def release(self) -> None:
        os.close(self._handle)


class Lease:
    """A lease file that a thread renews while the process lives."""

    def __init__(self, folder: Folder, term: float = TERM, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._term, self._clock = folder, term, clock
        self._token = uuid.uuid4().hex
        self._take()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="surefoot-lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        lease = _read(self._folder)
        if lease.get("token") != self._token:
            raise in_use(self._folder.path, lease.get("pid"))

    def release(self) -> None:
        self._stop.set()
        self._thread.join()
        with suppress(OSError, RunInUse):
            self.check()
            self._folder.remove(LOCK)

    def renew(self) -> None:
        """Write the lease again with the present time, unless another process has it."""
        self.check()
        self._folder.write(LOCK, self._content())

    def _take(self) -> None:
        old = _read(self._folder)
        if old and not _is_dead(old) and self._clock() - old.get("renewed", 0) < self._term:
            raise in_use(self._folder.path, old.get("pid"))
        if old:
            self._folder.remove(LOCK)
        try:
            self._folder.fs.pipe_file(self._folder.full(LOCK), self._content(), mode="create")
        except FileExistsError:
            raise in_use(self._folder.path, _read(self._folder).get("pid")) from None
        except NotImplementedError:
            self._folder.write(LOCK, self._content())
        self.check()

    def _content(self) -> bytes:
        lease = {"token": self._token, "pid": os.getpid(), "space": _space(), "renewed": self._clock()}
        return json.dumps(lease).encode()

    def _keep(self) -> None:
        while not self._stop.wait(self._term / 5):
            try:
                self.renew()
            except RunInUse:
                return  # the next write finds out and stops
            except OSError:
                continue  # a network that is down for a moment; the lease lasts several turns


def in_use(path: str, pid: object) -> RunInUse:
    """The error for a folder that another process writes to."""
    who = f"process {pid}" if pid else "another process"
    return RunInUse(f'The run folder "{path}" is in use by {who}; wait until it ends, or choose another with --out.')


def _holder(handle: int) -> str:
    """The process number in the lock file, waiting a moment for a holder that has not written it yet."""
    for _ in range(20):
        pid = os.pread(handle, 32, 0).decode(errors="replace")
        if pid.isdigit() and _lives(int(pid)):
            return pid
        time.sleep(0.01)
    return ""


def _read(folder: Folder) -> dict[str, Any]:
    try:
        lease = json.loads(folder.read(LOCK))
    except (FileNotFoundError, ValueError):
        return {}
    return lease if isinstance(lease, dict) else {}


def _is_dead(lease: dict[str, Any]) -> bool:
    return lease.get("space") == _space() and isinstance(lease.get("pid"), int) and not _lives(lease["pid"])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _space() -> str:
    """What makes a process number mean the same process: this boot of the kernel and its process name space."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{uuid.getnode():x}"
