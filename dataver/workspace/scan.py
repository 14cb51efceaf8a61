"""Look at the files of one target: what is there, and which of it is not known yet.

The only module that walks the user's files.  Every folder is opened below its parent without
following a symlink; a folder that is unchanged since the index was written is not listed, and
its files cost one `fstatat` each and one comparison for all.  Nothing is opened or hashed here.

Longer than 300 lines because the walk is one recursion over descriptors, index rows and rules.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from dataver.disk.abandoned import is_temp_name
from dataver.disk.disk import Clock
from dataver.disk.safe_open import kind_of
from dataver.errors import HostileInputError, local_error
from dataver.index.columns import NEVER_NS, NO_OID, OID_SIZE, STAT_SIZE, Folder
from dataver.model.names import MAX_PATH_SIZE, check_paths, fault_of_component, fault_of_path
from dataver.model.tree import SINGLE_FILE_PATH
from dataver.workspace.ignore import FILE_NAME, MAX_SIZE, TEMP_PREFIX, Ignore
from dataver.workspace.snapshot import Snapshot, Stat, Unsafe, is_racy, stat_cells

_KIND = 0o170000
"""The bits of a mode that say what a file is."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _with_slash(name: bytes) -> bytes:
    """Return the key by which folders sort: in the order of whole paths a name counts with its slash."""
    return name + b"/"


class Known(Protocol):
    """What is believed of files whose stat is unchanged; an index, most of the time."""

    stamp: bytes
    root_id: bytes

    @property
    def folders(self) -> Iterable[bytes]: ...

    certain: frozenset[bytes]
    """Folders whose files need no look while the folder itself is unchanged: just written."""

    def get(self, path: bytes) -> Folder | None: ...


def scan(
    root: bytes,
    columns: Known | None,
    *,
    clock: Clock,
    is_tracked: Callable[[bytes], bool] = lambda path: False,
    above: Mapping[bytes, bytes] | None = None,
    tracked_root: bytes = b"",
) -> Snapshot | None:
    """Return what lies at *root* (an absolute path), or None where nothing does.

    Rows whose stat is that of *columns* keep their oid; *is_tracked* says whether a path that is
    ignored stays because the tree *tracked_root* has it; *above* gives the target's path from each
    folder above it that holds ignore rules.

    Raises: local errors.
    """
    try:
        st = os.lstat(root)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise local_error(error, root) from error
    if not stat.S_ISDIR(st.st_mode):
        return _single(root, st, columns, clock)

    def walked(*, trusts_lists: bool) -> _Walk:
        found = Snapshot(root, clock.now_ns(), is_single=False)
        walk = _Walk(found, columns, clock, is_tracked, trusts_lists=trusts_lists)
        for folder, suffix in (above or {}).items():
            walk.take_rules(folder, suffix)
        try:
            fd = os.open(root, _FOLDER)
        except OSError as error:
            raise local_error(error, root) from error
        try:
            walk.folder(fd, b"")
        finally:
            os.close(fd)
        return walk

    walk = walked(trusts_lists=True)
    if not walk.is_listed_alike(tracked_root):
        walk = walked(trusts_lists=False)
    return walk.finished()


def _single(root: bytes, st: os.stat_result, columns: Known | None, clock: Clock) -> Snapshot:
    found = Snapshot(root, clock.now_ns(), is_single=True)
    if not stat.S_ISREG(st.st_mode):
        found.unsafe.append(Unsafe(SINGLE_FILE_PATH, f"is a {kind_of(st.st_mode)}"))
        return found
    cells = array("q", stat_cells(st)).tobytes()
    known = columns.get(b"") if columns is not None else None
    oids = bytearray(known.oids if known and known.count == 1 and bytes(known.stats) == cells else NO_OID)
    folder = Folder((NEVER_NS,) * 4, SINGLE_FILE_PATH, bytearray(cells), oids)
    found.folders[b""] = folder
    if oids == NO_OID:
        found.fresh[b""] = [0]
    return found


class _Walk:
    def __init__(
        self,
        found: Snapshot,
        columns: Known | None,
        clock: Clock,
        is_tracked: Callable[[bytes], bool],
        *,
        trusts_lists: bool,
    ) -> None:
        self._found, self._clock, self._is_tracked = found, clock, is_tracked
        self._ignore = Ignore()
        self._columns = columns
        self._children: dict[bytes, list[bytes]] = {}
        for path in columns.folders if columns is not None else ():
            if path:
                parent, _, name = path.rpartition(b"/")
                self._children.setdefault(parent, []).append(name)
        self._rules_known = trusts_lists
        self._has_revisited = False

    def take_rules(self, folder: bytes, suffix: bytes) -> None:
        """Read the ignore rules of a folder above the target."""
        path = folder + b"/" + FILE_NAME
        try:
            st = os.lstat(path)
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as file:
                    self._ignore.take(b"", file.read(MAX_SIZE), stat_cells(st), above=suffix)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise local_error(error, path) from error

    def finished(self) -> Snapshot:
        found = self._found
        found.stamp = self._stamp()
        if self._columns is not None:
            self._note_gone(self._columns)
        return found

    def _stamp(self) -> bytes:
        rules = sorted(self._ignore.files.items())
        return b"".join(k + b"\0" + array("q", v).tobytes() for k, v in rules)

    def is_listed_alike(self, tracked_root: bytes) -> bool:
        """Tell whether the lists taken from the index are what listing anew would give.

        An ignore file that has gone, or another tree that holds what is ignored, is only known at
        the end: then everything is listed once more.
        """
        if not self._has_revisited or self._columns is None:
            return True
        stamp = self._stamp()
        return stamp == self._columns.stamp and (not stamp or tracked_root == self._columns.root_id)

    def _note_gone(self, columns: Known) -> None:
        for path in columns.folders:
            known = columns.get(path)
            if known is None:
                continue
            here = self._found.folders.get(path)
            if here is not None and (here.joined is known.joined or here.joined == known.joined):
                continue
            names = set(here.names) if here is not None else set()
            prefix = path + b"/" if path else b""
            self._found.gone += [prefix + n for n in known.names if n not in names]
            known.forget_names()

    def folder(self, fd: int, path: bytes) -> None:
        st = os.fstat(fd)
        taken_ns = self._clock.now_ns()
        own = (st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_dev)
        known = self._columns.get(path) if self._columns is not None else None
        subfolders = self._children.get(path, [])
        if known is not None and known.own == own and self._columns and path in self._columns.certain:
            marked = (NEVER_NS, *own[1:]) if is_racy(own[0], own[1], taken_ns) else own
            self._found.folders[path] = Folder(marked, known.joined, known.stats, known.oids)
            self._found.subfolders[path] = []
        elif known is None or known.own != own or not self._rules_hold():
            self._list(fd, path, own, known, taken_ns)
        else:
            self._revisit(fd, path, known, sorted(subfolders, key=_with_slash), taken_ns)
        for name in self._found.subfolders.get(path, ()):
            self._enter(fd, path, name)

    def _rules_hold(self) -> bool:
        """Tell whether the ignore rules met so far are those that the index was made under.

        They are read on the way down, so each folder is decided by the rules above it.
        """
        if not self._rules_known or self._columns is None:
            return False
        for key, cells in self._ignore.files.items():
            if key + b"\0" + array("q", cells).tobytes() not in self._columns.stamp:
                self._rules_known = False
        return self._rules_known

    def _enter(self, fd: int, path: bytes, name: bytes) -> None:
        below = path + b"/" + name if path else name
        try:
            inner = os.open(name, _FOLDER, dir_fd=fd)
        except OSError as error:
            self._found.subfolders[path].remove(name)
            if not isinstance(error, FileNotFoundError):
                is_denied = isinstance(error, PermissionError)
                self._found.unsafe.append(Unsafe(below, error.strerror or str(error), is_denied))
            return
        try:
            self.folder(inner, below)
        finally:
            os.close(inner)

    def _revisit(self, fd: int, path: bytes, known: Folder, subfolders: list[bytes], taken_ns: int) -> None:
        """Look at the files of a folder whose list of names is unchanged."""
        self._has_revisited = True
        if FILE_NAME in known.names:
            self._read_rules(fd, path)
            if not self._rules_hold():
                self._list(fd, path, known.own, known, taken_ns)
                return
        cells = array("q")
        extend, look = cells.extend, os.stat
        try:
            for name in known.names:
                st = look(name, dir_fd=fd, follow_symlinks=False)
                extend((st.st_mode, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino))
        except OSError:  # vanished this moment
            self._list(fd, path, known.own, known, taken_ns)
            return
        stats = cells.tobytes()
        self._found.subfolders[path] = subfolders
        if stats == known.stats:
            known.forget_names()
            self._found.folders[path] = known
            return
        self._keep(path, known.own, known.joined, known.names, cells, known)

    def _list(self, fd: int, path: bytes, own: Stat, known: Folder | None, taken_ns: int) -> None:
        """List a folder anew."""
        self._found.relisted += 1
        is_odd = False
        odd_before = len(self._found.unsafe) + len(self._found.leftovers)
        try:
            listed = sorted([name.encode("utf-8", "surrogateescape") for name in os.listdir(fd)])
        except OSError as error:
            raise local_error(error, self._found.root + b"/" + path if path else self._found.root) from error
        found: dict[bytes, os.stat_result] = {}
        look = os.stat
        for name in listed:
            try:
                found[name] = look(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                is_odd = True
        if FILE_NAME in found:
            self._read_rules(fd, path)
        subfolders = [name for name, st in found.items() if st.st_mode & _KIND == stat.S_IFDIR]
        files = [name for name, st in found.items() if st.st_mode & _KIND != stat.S_IFDIR]
        subfolders = sorted(self._wanted(path, subfolders, is_folder=True), key=_with_slash)
        names = []
        cells = array("q")
        extend = cells.extend
        for name in self._wanted(path, files, is_folder=False):
            st = found[name]
            if st.st_mode & _KIND in (stat.S_IFREG, stat.S_IFLNK):
                names.append(name)
                extend((st.st_mode, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino))
            else:
                is_odd = True
                below = path + b"/" + name if path else name
                self._found.unsafe.append(Unsafe(below, f"is a {kind_of(st.st_mode)}"))
        self._found.subfolders[path] = subfolders
        # What was refused must be refused again, and what was left be found: such a folder is always listed.
        is_odd = is_odd or len(self._found.unsafe) + len(self._found.leftovers) > odd_before
        is_odd = is_odd or is_racy(own[0], own[1], taken_ns)
        own = (NEVER_NS, *own[1:]) if is_odd else own
        self._keep(path, own, b"\0".join(names), names, cells, known)

    def _read_rules(self, fd: int, path: bytes) -> None:
        try:
            file_fd = os.open(FILE_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd)
        except OSError:
            return
        with open(file_fd, "rb") as file:
            st = os.fstat(file_fd)
            if stat.S_ISREG(st.st_mode):
                self._ignore.take(path, file.read(MAX_SIZE), stat_cells(st))

    def _wanted(self, path: bytes, names: list[bytes], *, is_folder: bool) -> list[bytes]:
        """Return *names* without what is ignored; what may stand in no tree is noted as unsafe."""
        prefix = path + b"/" if path else b""
        try:
            check_paths(names)
            sound = names
        except HostileInputError:
            sound = []
            for name in names:
                fault = fault_of_path(name) if not path else fault_of_component(name)
                if fault:
                    self._found.unsafe.append(Unsafe(prefix + name, f"its name holds {fault}"))
                else:
                    sound.append(name)
        if len(prefix) + 255 > MAX_PATH_SIZE:
            long = [n for n in sound if len(prefix) + len(n) > MAX_PATH_SIZE]
            self._found.unsafe += [Unsafe(prefix + n, "its path is too long") for n in long]
            sound = [n for n in sound if n not in long]
        if not self._ignore and not any(n.startswith(TEMP_PREFIX) for n in sound):
            return sound
        skips = self._ignore.skips
        wanted = [
            n for n in sound if not skips(prefix + n, is_folder=is_folder) or self._is_tracked(prefix + n)
        ]
        odd = [n for n in sound if n.startswith(TEMP_PREFIX)]
        self._found.leftovers += [prefix + n for n in odd if is_temp_name(n) and n not in wanted]
        return wanted

    def _keep(
        self,
        path: bytes,
        own: Stat,
        joined: bytes,
        names: list[bytes],
        cells: array[int],
        known: Folder | None,
    ) -> None:
        """Keep a folder's rows; those whose stat the index knows keep their oid."""
        stats = cells.tobytes()
        oids = bytearray(OID_SIZE * len(names))
        fresh = []
        if known is None:
            self._found.folders[path] = Folder(own, joined, bytearray(stats), oids)
            if names:
                self._found.fresh[path] = list(range(len(names)))
            return
        rows = {name: row for row, name in enumerate(known.names)}
        for row, name in enumerate(names):
            old = rows.get(name)
            at = row * STAT_SIZE
            if (
                old is not None
                and known.stats[old * STAT_SIZE : (old + 1) * STAT_SIZE] == stats[at : at + STAT_SIZE]
                and (cell := known.oid(old)) != NO_OID
            ):
                oids[row * OID_SIZE : (row + 1) * OID_SIZE] = cell
            else:
                fresh.append(row)
        self._found.folders[path] = Folder(own, joined, bytearray(stats), oids)
        if fresh:
            self._found.fresh[path] = fresh
