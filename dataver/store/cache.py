"""The cache: every object of this clone in one folder, small ones in packs, large ones loose.

Owns the folder's layout (`packs/`, `objects/`, `tmp/`, `quarantine/`, `users/`) and the order in
which things become visible in it: bytes synced, then named, then the folder synced.  Structure
and data have packs of their own, told apart by the first letter of the file's name, so that a
diff of two trees opens no table of data.  See docs/format.md, chapter "Cache".

Longer than 300 lines because what is listed, read and set aside is one state: which packs are there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence

from dataver.disk.atomic import make_folders, publish_many, replace, temp_name
from dataver.disk.disk import Disk
from dataver.disk.safe_open import check_own_folders
from dataver.errors import (
    CorruptObjectError,
    DataverError,
    DiskFullError,
    FormatError,
    MissingObjectError,
    PermissionDeniedError,
    UnsupportedError,
    local_error,
)
from dataver.formats.pack import ROW_SIZE, Row, Table
from dataver.hashing import Buffer, digest, xxh3_64
from dataver.model.names import (
    BLOB,
    CHUNK,
    STRUCTURE_KINDS,
    ObjectName,
    Oid,
    StructureId,
    blob_name,
    oid_of_name,
    show_name,
)
from dataver.store.census import pack_files
from dataver.store.lookup import Lookup
from dataver.store.loose import Loose
from dataver.store.packfile import PackReader, PackWriter, WrittenPack
from dataver.store.sharing import make_folder, open_to_readers

PACK_BELOW = 64 * 1024
"""Blobs of at least this many bytes lie loose, by default."""


class CachedPack:
    """One pack of the cache; its table is read once, its file opened when first needed."""

    def __init__(self, path: str, reader: PackReader) -> None:
        self.path = path
        self.reader = reader
        self.size = reader.size
        self.table: Table = reader.table(is_own=True)

    @property
    def pack_id(self) -> StructureId:
        return StructureId(bytes.fromhex(os.path.basename(self.path)[2:]))


class _Group:
    """The packs of structure, or those of data, and the look-up over their tables."""

    def __init__(self, packs: Sequence[CachedPack]) -> None:
        self.packs = list(packs)
        self.lookup = Lookup([p.table.rows_data for p in self.packs], ROW_SIZE)

    def row(self, found: tuple[int, int]) -> tuple[CachedPack, Row]:
        pack = self.packs[found[0]]
        return pack, pack.table.row(found[1])


class Cache:
    """Objects by name in a local folder that several repositories and users may share."""

    def __init__(self, folder: str, disk: Disk, *, pack_below: int = PACK_BELOW, scratch: str = "") -> None:
        """Use *folder*, which is made when first written to; *scratch* serves where it may only be read."""
        # In a shared cache a neighbour could leave a link in the place of a folder that is written to.
        check_own_folders(folder, ("packs", "objects", "tmp", "quarantine", "users", "trash", "erasures"))
        self.folder = folder
        self._scratch = scratch
        self.pack_below = pack_below
        self.loose = Loose(folder)
        self.disk = disk
        self._groups: dict[str, _Group] = {}

    # -- looking ------------------------------------------------------------------------------

    def _group(self, letter: str) -> _Group:
        group = self._groups.get(letter)
        if group is None:
            group = self._groups[letter] = self._listed(letter)
        return group

    def _listed(self, letter: str) -> _Group:
        packs = []
        known = {p.path: p for p in self._groups[letter].packs} if letter in self._groups else {}
        for name in self._pack_files(letter):
            path = f"{self.folder}/packs/{name}"
            present = known.pop(path, None)
            if present is not None:
                packs.append(present)
                continue
            try:
                packs.append(CachedPack(path, PackReader(path)))
            except FileNotFoundError:  # folded meanwhile: what it held is in a pack listed next time
                continue
            except UnsupportedError:  # a later release's, or damaged: left unread, and the others are read
                continue
            except (FormatError, ValueError):
                with contextlib.suppress(DataverError):  # a cache that cannot be written: left unread
                    self.set_aside(path)
            except OSError as error:
                raise local_error(error, path) from error
        for gone in known.values():
            gone.reader.close()
        return _Group(packs)

    def _pack_files(self, letter: str) -> list[str]:
        return sorted(n for n in pack_files(self.folder) if n.startswith(letter))

    def refresh(self) -> None:
        """List the packs again: another process may have added or folded some."""
        for letter in list(self._groups):
            self._groups[letter] = self._listed(letter)

    def close(self) -> None:
        for group in self._groups.values():
            for pack in group.packs:
                pack.reader.close()
        self._groups = {}

    def packs(self, *, structure: bool) -> list[CachedPack]:
        """Return the packs of structure, or those of data."""
        return self._group("s" if structure else "d").packs

    def locate(self, name: ObjectName) -> tuple[CachedPack, Row] | None:
        """Return the pack and row of a packed object, or None."""
        group = self._group("s" if name[0] in STRUCTURE_KINDS else "d")
        found = group.lookup.find(name)
        return None if found is None else group.row(found)

    def positions(self, names: Sequence[ObjectName]) -> list[tuple[int, int] | None]:
        """Return for each of *names*, all structure or all data, (number in `packs`, row), or None.

        The numbers hold until the packs are listed again.
        """
        if not names:
            return []
        return self._group("s" if names[0][0] in STRUCTURE_KINDS else "d").lookup.find_many(names)

    def locate_many(self, names: Sequence[ObjectName]) -> list[tuple[CachedPack, Row] | None]:
        """Return for each of *names*, all structure or all data, its pack and row, or None."""
        if not names:
            return []
        group = self._group("s" if names[0][0] in STRUCTURE_KINDS else "d")
        return [None if f is None else group.row(f) for f in group.lookup.find_many(names)]

    def has(self, name: ObjectName) -> bool:
        return not self.missing([name])

    def is_packed(self, name: ObjectName) -> bool:
        """Tell whether a pack of data has *name*, for loops over many small blobs."""
        group = self._group("d")
        return bool(group.packs) and group.lookup.find(name) is not None

    def prepare_lookup(self, count: int) -> None:
        """Get ready to look up *count* blobs: workers that are forked afterwards share what was read."""
        self._group("d").lookup.prepare(count)

    def missing(self, names: Iterable[ObjectName]) -> list[ObjectName]:
        """Return those of *names* that are not here, in their order, without reading any."""
        structure: list[ObjectName] = []
        data: list[ObjectName] = []
        for name in names:
            (structure if name[0] in STRUCTURE_KINDS else data).append(name)
        lost = []
        if structure:
            found = self._group("s").lookup.find_many(structure)
            lost += [n for n, f in zip(structure, found, strict=True) if f is None]
        if data:
            found = self._group("d").lookup.find_many(data)
            unpacked = [n for n, f in zip(data, found, strict=True) if f is None]
            if unpacked:
                there = self.loose.present([oid_of_name(n) for n in unpacked if n[0] == BLOB])
                lost += [n for n in unpacked if n[0] != BLOB or oid_of_name(n) not in there]
        return lost

    # -- reading ------------------------------------------------------------------------------

    def read(self, name: ObjectName, known: tuple[CachedPack, Row] | None = None) -> Buffer:
        """Return an object's bytes; content is compared with its hash, structure by who decodes it.

        *known* is where `locate_many` found it.

        Raises: MissingObjectError; CorruptObjectError, after moving the bad copy to quarantine.
        """
        for attempt in range(2):
            # A pack that was set aside meanwhile is closed: what it held is found anew.
            place = known if known and known[0].reader.is_open else self.locate(name)
            if place is None and name[0] == BLOB:
                data = self._read_loose(oid_of_name(name))
                if data is not None:
                    return data
            if place is not None:
                return self._checked(name, place)
            if attempt == 0:
                self.refresh()
        raise MissingObjectError(show_name(name))

    def _checked(self, name: ObjectName, place: tuple[CachedPack, Row]) -> Buffer:
        pack, row = place
        try:
            data = pack.reader.read(row)
            # Who decodes structure cannot set it aside: damage on the disk is noticed here.
            is_sound = name[0] not in STRUCTURE_KINDS or xxh3_64(pack.reader.stored(row)) == row.check
        except FormatError as error:
            self.quarantine(name)
            raise CorruptObjectError(show_name(name), "the cache") from error
        except OSError as error:
            raise local_error(error, pack.path) from error
        if name[0] in (BLOB, CHUNK):
            is_sound = digest(name[1], data) == oid_of_name(name)[1:]
        if not is_sound:
            self.quarantine(name)
            raise CorruptObjectError(show_name(name), "the cache")
        return data

    def _read_loose(self, oid: Oid) -> bytes | None:
        fd = self.loose.open(oid)
        if fd is None:
            return None
        with open(fd, "rb") as file:
            data = file.read()
        if digest(oid[0], data) != oid[1:]:
            self.quarantine(blob_name(oid))
            raise CorruptObjectError(show_name(blob_name(oid)), "the cache")
        return data

    # -- writing ------------------------------------------------------------------------------

    def temp_path(self) -> str:
        """Return a fresh path in the cache's `tmp/`, making the folders where they are missing."""
        folder = f"{self.folder}/tmp"
        if not os.path.isdir(folder):
            make_folder(self.disk, self.folder, f"{self.folder}/packs")
            make_folder(self.disk, self.folder, folder)
        return temp_name(folder)

    def scratch_path(self) -> str:
        """Return a fresh path for a file that never becomes part of the cache, which may be read-only."""
        folder = f"{self.folder}/tmp"
        if not self._scratch or os.access(folder, os.W_OK | os.X_OK):
            return self.temp_path()
        if not os.path.isdir(folder):
            with contextlib.suppress(PermissionDeniedError):
                return self.temp_path()
        make_folders(self.disk, self._scratch)
        return temp_name(self._scratch)

    def publish(self, packs: Sequence[WrittenPack], blobs: Sequence[tuple[str, Oid]] = ()) -> None:
        """Make finished temp files part of the cache, durable before they have a name.

        *blobs* are (temp path, oid) of loose blobs.  After this returns, a pointer may name them.
        """
        temps = [pack.path for pack in packs] + [temp for temp, _ in blobs]
        try:
            pairs = self._named(packs, blobs)
            open_to_readers(self.disk, self.folder, temps)
        except BaseException:
            for temp in temps:
                with contextlib.suppress(OSError):
                    self.disk.unlink(temp)
            raise
        if pairs:
            publish_many(self.disk, pairs)
            self.refresh()

    def _named(
        self, packs: Sequence[WrittenPack], blobs: Sequence[tuple[str, Oid]]
    ) -> list[tuple[str | bytes, str | bytes]]:
        """Return each temp file with its final name, whose folder is made."""
        pairs: list[tuple[str | bytes, str | bytes]] = []
        for pack in packs:
            letter = "s" if Table(pack.table).name(0)[0] in STRUCTURE_KINDS else "d"
            pairs.append((pack.path, f"{self.folder}/packs/{letter}-{pack.pack_id.hex()}"))
        for temp, oid in blobs:
            final = self.loose.path(oid)
            make_folder(self.disk, self.folder, os.path.dirname(final))
            pairs.append((temp, final))
        return pairs

    # -- damage -------------------------------------------------------------------------------

    def quarantine(self, name: ObjectName) -> None:
        """Move a damaged object out of the way; the sound objects of its pack stay in the cache.

        In a cache that may only be read, or on a full disk, it stays: who reads it notices again.
        """
        with contextlib.suppress(PermissionDeniedError, DiskFullError):
            self._quarantine(name)

    def _quarantine(self, name: ObjectName) -> None:
        if name[0] == BLOB and self.loose.has(oid_of_name(name)):
            self.set_aside(self.loose.path(oid_of_name(name)))
            return
        place = self.locate(name)
        if place is None:
            return
        pack, _ = place
        writer = PackWriter(self.disk, self.temp_path())
        for row in sorted(pack.table.rows(), key=lambda r: r.offset):
            if row.name != name and self._is_sound(pack, row):
                writer.add_stored(row.name, row.codec, bytes(pack.reader.stored(row)), row.raw, row.check)
        if len(writer):
            self.publish([writer.close()])
        else:
            writer.abort()
        self.set_aside(pack.path)
        self.refresh()

    @staticmethod
    def _is_sound(pack: CachedPack, row: Row) -> bool:
        try:
            stored = pack.reader.stored(row)
            if xxh3_64(stored) != row.check:
                return False
            if row.name[0] in (BLOB, CHUNK):
                return digest(row.name[1], pack.reader.read(row)) == oid_of_name(row.name)[1:]
        except FormatError:
            return False
        return True

    def set_aside(self, path: str) -> None:
        """Move a file of the cache to quarantine.  Raises: local errors, as of a cache that is read-only."""
        folder = f"{self.folder}/quarantine"
        try:
            make_folder(self.disk, self.folder, folder)
            self.disk.rename(path, f"{folder}/{os.path.basename(path)}-{os.urandom(4).hex()}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, path, "move to quarantine") from error

    def register(self, user_id: str, text: bytes) -> None:
        """Say in the cache that a repository uses it; gc asks these before it deletes.

        A cache that may only be read keeps no such note: who reads deletes nothing either.
        """
        path = f"{self.folder}/users/{user_id}.toml"
        with contextlib.suppress(PermissionDeniedError, PermissionError):
            try:
                with open(path, "rb") as file:
                    if file.read() == text:
                        return
            except FileNotFoundError:
                make_folder(self.disk, self.folder, os.path.dirname(path))
            replace(self.disk, path, text)
            open_to_readers(self.disk, self.folder, [path])
