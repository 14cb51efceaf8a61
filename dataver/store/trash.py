"""What nothing needs any more, set aside in the cache until a grace period is over.

Owns `trash/<seconds since 1970>-<random>/` of a cache folder.  Files go there and come back by one
rename each, so that no byte is copied and a killed run leaves every file in one of the two places.
In there a pack has its own name, a loose blob `o-<algorithm>-<digits>`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dataver.disk.disk import Clock
from dataver.errors import FormatError, HostileInputError, UnsupportedError, local_error
from dataver.model.names import ObjectName, Oid, blob_name, format_oid, parse_oid
from dataver.store.cache import Cache, CachedPack
from dataver.store.cache_marks import NameSet
from dataver.store.packfile import PackReader
from dataver.store.sharing import make_folder

_BATCH = re.compile(r"([0-9]{1,12})-[0-9a-f]{8}")
_LOOSE = "o-"
_PACK = re.compile(r"[sd]-[0-9a-f]{64}")


class SetAside(NamedTuple):
    """One file in the trash."""

    path: str
    size: int
    time_s: int
    """When it was set aside, in seconds since 1970."""

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def oid(self) -> Oid | None:
        """The loose blob that it is; None for a pack."""
        if not self.name.startswith(_LOOSE):
            return None
        algorithm, _, digits = self.name.removeprefix(_LOOSE).partition("-")
        return parse_oid(f"{algorithm}:{digits}")


class Trash:
    """The trash of one cache."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache, self._disk, self._clock = cache, cache.disk, clock
        self.folder = f"{cache.folder}/trash"
        self._batch = ""

    # -- looking

    def files(self) -> list[SetAside]:
        """Return what is set aside, the oldest first.  Raises: local errors."""
        found = []
        for batch in self._batches():
            match = _BATCH.fullmatch(batch)
            assert match is not None
            with contextlib.suppress(FileNotFoundError), os.scandir(f"{self.folder}/{batch}") as entries:
                for entry in entries:
                    if _is_ours(entry.name):
                        size = entry.stat(follow_symlinks=False).st_size
                        found.append(SetAside(entry.path, size, int(match[1])))
        return sorted(found, key=lambda file: (file.time_s, file.path))

    def _batches(self) -> list[str]:
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise local_error(error, self.folder) from error
        return sorted(name for name in names if _BATCH.fullmatch(name))

    # -- setting aside

    def take(self, path: str, name: str) -> None:
        """Set the file *path* aside as *name*.  Raises: local errors; a file that is gone is fine."""
        try:
            if not self._batch:
                batch = f"{self.folder}/{int(self._clock.now_s())}-{os.urandom(4).hex()}"
                make_folder(self._disk, self._cache.folder, batch)
                self._batch = batch
            self._disk.rename(path, f"{self._batch}/{name}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, path, "move to the trash") from error

    def take_loose(self, oid: Oid) -> None:
        """Set a loose blob aside."""
        self.take(self._cache.loose.path(oid), _LOOSE + format_oid(oid).replace(":", "-"))

    def take_pack(self, pack: CachedPack) -> None:
        """Set a pack aside."""
        self.take(pack.path, os.path.basename(pack.path))

    # -- bringing back

    def restore(self, files: Iterable[SetAside]) -> int:
        """Bring *files* back to where they were, durably; return how many came back.

        One that is there again meanwhile is the same, by its name: it stays where it is.
        """
        folders: set[str] = set()
        done = 0
        for file in files:
            place = self._place_of(file)
            try:
                make_folder(self._disk, self._cache.folder, os.path.dirname(place))
                self._disk.rename_new(file.path, place)
            except (FileExistsError, FileNotFoundError):
                continue
            except OSError as error:
                raise local_error(error, place, "write") from error
            folders.add(os.path.dirname(place))
            done += 1
        for folder in sorted(folders):
            self._disk.sync_folder(folder)
        self._cache.refresh()
        return done

    def _place_of(self, file: SetAside) -> str:
        oid = file.oid
        return f"{self._cache.folder}/packs/{file.name}" if oid is None else self._cache.loose.path(oid)

    def structure_with(self, names: Sequence[ObjectName]) -> list[SetAside]:
        """Return the packs of structure that are set aside and hold any of *names*."""
        wanted = set(names)
        found = []
        for file in self.files() if wanted else ():
            if file.name.startswith("s-"):
                with _opened(file) as reader:
                    if reader and not wanted.isdisjoint(reader.table(is_own=True).names()):
                        found.append(file)
        return found

    def needed(self, marks: NameSet) -> list[SetAside]:
        """Return what is set aside and needed again, while the cache has no other copy of it."""
        found = []
        for file in self.files():
            oid = file.oid
            if oid is not None:
                names = [blob_name(oid)] if blob_name(oid) in marks else []
            else:
                names = _marked_names(file, marks)
            if names and self._cache.missing(names):
                found.append(file)
        return found

    # -- deleting

    def delete(self, files: Iterable[SetAside]) -> None:
        """Delete *files*, and folders of which nothing is left.  Raises: local errors."""
        for file in files:
            try:
                self._disk.unlink(file.path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise local_error(error, file.path, "delete") from error
        self.tidy()

    def tidy(self) -> None:
        """Remove empty folders."""
        for batch in self._batches():
            with contextlib.suppress(OSError):
                self._disk.rmdir(f"{self.folder}/{batch}")
        with contextlib.suppress(OSError):
            self._disk.rmdir(self.folder)


@contextlib.contextmanager
def _opened(file: SetAside) -> Iterator[PackReader | None]:
    """Give a reader of a pack that is set aside; None where it cannot be read as one."""
    try:
        reader = PackReader(file.path)
    except OSError:
        yield None
        return
    try:
        reader.table(is_own=True)
    except (FormatError, UnsupportedError):
        yield None
    else:
        yield reader
    finally:
        reader.close()


def _marked_names(file: SetAside, marks: NameSet) -> list[ObjectName]:
    with _opened(file) as reader:
        if reader is None:
            return []
        table = reader.table(is_own=True)
        return [table.name(row) for row, is_marked in enumerate(marks.rows(table)) if is_marked]


def _is_ours(name: str) -> bool:
    if _PACK.fullmatch(name):
        return True
    algorithm, _, digits = name.removeprefix(_LOOSE).partition("-")
    try:
        parse_oid(f"{algorithm}:{digits}")
    except (HostileInputError, UnsupportedError):
        return False
    return name.startswith(_LOOSE)


def is_old(found: os.stat_result, now_s: float, age_s: float) -> bool:
    """Tell whether a file was last changed or named at least *age_s* seconds ago.

    One whose time lies in the future is young: some clock was wrong, and nobody knows which.
    """
    changed = max(found.st_mtime, found.st_ctime)
    return stat.S_ISREG(found.st_mode) and now_s - changed >= age_s and changed <= now_s
