"""Names that can be trusted once made: oids, object names, paths inside a tree.

The security border.  Whatever comes from a pointer, a tree, a pack or a person becomes one of
these types here or is refused here, on writing as on reading; nothing is ever sanitised.
`Oid`, `ObjectName` and `RepoPath` are `bytes` at run time, so that a million of them cost no
more than their bytes.  See docs/format.md, chapters "Ids" and "Names".

Longer than 300 lines because the border is one place: every rule for a name is read together.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, NewType

from dataver.errors import HostileInputError, UnsupportedError, show_path
from dataver.hashing import ALGORITHM_CODES, ALGORITHM_NAMES, BLAKE3, DIGEST_SIZES

Oid = NewType("Oid", bytes)
"""A file content's id: one byte of algorithm code, then the digest."""
ObjectName = NewType("ObjectName", bytes)
"""An object's name in every store: kind, algorithm, digest zero-padded to 32; 34 bytes that sort."""
RepoPath = NewType("RepoPath", bytes)
"""A checked path: relative, `/`-separated, no component that could leave its folder."""
StructureId = NewType("StructureId", bytes)
"""The 32-byte derive-key BLAKE3 id of a leaf, root, recipe or pack."""

BLOB, CHUNK, RECIPE, LEAF, ROOT = 1, 2, 3, 4, 5
"""Object kinds: one byte in names and tables."""
KIND_NAMES: dict[int, str] = {BLOB: "blob", CHUNK: "chunk", RECIPE: "recipe", LEAF: "leaf", ROOT: "root"}
STRUCTURE_KINDS = frozenset((RECIPE, LEAF, ROOT))

NAME_SIZE = 34
MAX_PATH_SIZE = 4096
MAX_COMPONENT_SIZE = 255
_RESERVED = frozenset((".git", ".dataver"))
_DRIVE = re.compile(rb"[A-Za-z]:")
# Whatever is not matched by this is surely harmless; whatever is, is looked at closely.
_SUSPECT = re.compile(
    rb"[\x00-\x1f\x7f-\xff\\:~]"  # control, not ASCII, drive, stream, short name
    rb"|(?:^|/)(?:/|$|\.\.?(?:/|$))"  # empty, `.` and `..` components
    rb"|(?:^|/)[. ]*\.[GgDd]"  # may fold to .git or .dataver
    rb"|[^/]{256}"
    rb"|^/",
    re.MULTILINE,
)


def oid_of_digest(algorithm: int, digest: bytes) -> Oid:
    """Return the oid of a digest just computed."""
    return Oid(bytes((algorithm,)) + digest)


def parse_oid(text: str) -> Oid:
    """Return the oid that `name:hex` writes.

    Raises: HostileInputError when it is malformed, UnsupportedError for an unknown algorithm.
    """
    name, _, digits = text.partition(":")
    code = ALGORITHM_CODES.get(name)
    if code is None:
        raise UnsupportedError("hash algorithm", name)
    if len(digits) != 2 * DIGEST_SIZES[code] or not re.fullmatch(r"[0-9a-f]+", digits):
        raise HostileInputError(f"oid {text!r}", "expected lower-case hex of the right length")
    return Oid(bytes((code,)) + bytes.fromhex(digits))


def format_oid(oid: Oid) -> str:
    """Return `name:hex`."""
    return f"{ALGORITHM_NAMES[oid[0]]}:{oid[1:].hex()}"


def check_oid(raw: bytes) -> Oid:
    """Return *raw* as an oid.  Raises: HostileInputError, UnsupportedError."""
    if not raw or raw[0] not in DIGEST_SIZES:
        raise UnsupportedError("hash algorithm", raw[0] if raw else None)
    if len(raw) != 1 + DIGEST_SIZES[raw[0]]:
        raise HostileInputError("oid", f"{len(raw)} bytes long")
    return Oid(raw)


def blob_name(oid: Oid) -> ObjectName:
    """Return the object name of a file's content."""
    return ObjectName((b"\x01" + oid).ljust(NAME_SIZE, b"\0"))


def chunk_name(oid: Oid) -> ObjectName:
    """Return the object name of a chunk, hashed like a blob."""
    return ObjectName((b"\x02" + oid).ljust(NAME_SIZE, b"\0"))


def recipe_name(oid: Oid) -> ObjectName:
    """Return the object name of the recipe of the blob *oid*."""
    return ObjectName((b"\x03" + oid).ljust(NAME_SIZE, b"\0"))


def leaf_name(leaf_id: bytes) -> ObjectName:
    return ObjectName(b"\x04\x01" + leaf_id)


def root_name(root_id: bytes) -> ObjectName:
    return ObjectName(b"\x05\x01" + root_id)


def oid_of_name(name: ObjectName) -> Oid:
    """Return the oid that a blob's, chunk's or recipe's name holds."""
    return Oid(name[1 : 2 + DIGEST_SIZES[name[1]]])


def check_name(raw: bytes) -> ObjectName:
    """Return *raw* as an object name.  Raises: HostileInputError, UnsupportedError."""
    if len(raw) != NAME_SIZE:
        raise HostileInputError("object name", f"{len(raw)} bytes long")
    if raw[0] not in KIND_NAMES:
        raise UnsupportedError("object kind", raw[0])
    size = DIGEST_SIZES.get(raw[1])
    if size is None:
        raise UnsupportedError("hash algorithm", raw[1])
    if raw[0] in (LEAF, ROOT) and raw[1] != BLAKE3:
        raise HostileInputError("object name", "structure is hashed with blake3 only")
    if any(raw[2 + size :]):
        raise HostileInputError("object name", "padding is not zero")
    return ObjectName(raw)


def show_name(name: ObjectName) -> str:
    """Return *name* for an error message: kind and the first 12 digits."""
    return f"{KIND_NAMES.get(name[0], '?')} {name[2:8].hex()}"


# -- paths ------------------------------------------------------------------------------------


def _folded(component: bytes) -> str:
    """Return *component* as a folding file system would see it: NFC, caseless, no ignorables."""
    import unicodedata  # 2 ms that names without oddities do not pay

    text = component.decode("utf-8", "surrogateescape")
    text = "".join(c for c in text if unicodedata.category(c) != "Cf" and not _is_variation(c))
    text = unicodedata.normalize("NFC", text).casefold()
    return text.split(":", 1)[0].rstrip(". ")


def _is_variation(char: str) -> bool:
    return "︀" <= char <= "️" or char == "͏"


def fault_of_component(component: bytes) -> str:
    """Return why *component* may not name a file, or the empty string."""
    if not component:
        return "an empty component"
    if component in (b".", b".."):
        return f"a component {component.decode()!r}"
    if len(component) > MAX_COMPONENT_SIZE:
        return f"a component of {len(component)} bytes"
    if any(b < 32 or b == 127 for b in component):
        return "a control character"
    folded = _folded(component)
    if folded in _RESERVED or re.fullmatch(r"(git|datave)~\d+", folded):
        return f"a component that some systems read as {'.git' if 'git' in folded else '.dataver'}"
    return ""


def fault_of_path(raw: bytes) -> str:
    """Return why *raw* may not be a path inside a tree, or the empty string."""
    if not raw:
        return "an empty path"
    if len(raw) > MAX_PATH_SIZE:
        return f"a path of {len(raw)} bytes"
    if raw[:1] in (b"/", b"\\"):
        return "an absolute path"
    if _DRIVE.match(raw):
        return "a drive letter"
    for component in raw.split(b"/"):
        fault = fault_of_component(component)
        if fault:
            return fault
    return ""


def check_path(raw: bytes) -> RepoPath:
    """Return *raw* as a checked path.  Raises: HostileInputError naming it and the fault."""
    if _SUSPECT.search(raw) or not raw or len(raw) > MAX_PATH_SIZE:
        fault = fault_of_path(raw)
        if fault:
            raise HostileInputError(f"path {show_path(raw)!r}", fault)
    return RepoPath(raw)


def check_paths(raws: Sequence[bytes]) -> None:
    """Check many paths at once; the common harmless case is a few searches.  Raises: HostileInputError."""
    joined = b"\n".join((b"", *raws, b""))
    # A line feed inside a path is caught by the count; what looks odd is checked one by one.
    if (
        not joined.translate(None, _PLAIN)
        and joined.count(b"\n") == len(raws) + 1
        and max(map(len, raws), default=0) <= MAX_COMPONENT_SIZE
        and not any(odd in joined for odd in _ODD)
    ):
        return
    for raw in raws:
        check_path(raw)


_PLAIN = bytes(b for b in range(32, 127) if b not in b"\\:~") + b"\n"
_ODD = (b"/.", b"\n.", b"/ ", b"\n ", b"//", b"/\n", b"\n/", b"\n\n")


def check_order(paths: Sequence[bytes]) -> None:
    """Check that sorted *paths* are strictly increasing and none is a folder of another.

    Raises: HostileInputError.
    """
    previous = b""
    for path in paths:
        if path <= previous:
            raise HostileInputError(f"path {show_path(path)!r}", "out of order or twice")
        previous = path
    # In byte order `a` may be parted from `a/b` by `a-b`: look every folder of a path up.
    known = set(paths)
    checked = b""
    for path in paths:
        folder = path.rpartition(b"/")[0]
        if folder == checked:
            continue
        checked = folder
        while folder:
            if folder in known:
                raise HostileInputError(f"path {show_path(folder)!r}", "both a file and a folder")
            folder = folder.rpartition(b"/")[0]


class Border(NamedTuple):
    """What the leaves of a tree so far leave to be checked in the next one."""

    last: bytes
    """Path of the last entry."""
    above: tuple[bytes, ...]
    """Paths that begin *last* and might prove to be folders of what follows."""


TREE_START = Border(b"", ())


def check_border(border: Border, paths: Sequence[bytes]) -> Border:
    """Check the *paths* of one leaf, in order among themselves, against the leaves before it.

    Returns what the next leaf is checked against.  Raises: HostileInputError.
    """
    if not paths:
        return border
    if paths[0] <= border.last:
        raise HostileInputError(f"path {show_path(paths[0])!r}", "out of order or twice")
    # In byte order all that stands between `a` and `a/b` begins with `a`.
    for file in border.above:
        for path in paths:
            if not path.startswith(file):
                break
            if path[len(file)] == ord("/"):
                raise HostileInputError(f"path {show_path(file)!r}", "both a file and a folder")
    last = paths[-1]
    own = [last[:size] for size in range(1, len(last) + 1)]
    here = [p for p in own if paths[bisect.bisect_left(paths, p)] == p]
    return Border(last, (*(file for file in border.above if last.startswith(file)), *here))


def fault_of_link(path: bytes, target: bytes) -> str:
    """Return why the symlink at *path* may not point to *target*, or the empty string.

    A target is relative and stays inside the tracked folder.
    """
    if not target or b"\0" in target or len(target) > MAX_PATH_SIZE:
        return "an impossible link target"
    if target[:1] in (b"/", b"\\") or _DRIVE.match(target):
        return f"a link to an absolute path {show_path(target)}"
    depth = path.count(b"/")
    for component in target.split(b"/"):
        if component == b"..":
            depth -= 1
            if depth < 0:
                return f"a link out of the folder, to {show_path(target)}"
        elif component not in (b"", b"."):
            if _folded(component) in _RESERVED:
                return f"a link into {show_path(component)}"
            depth += 1
    return ""


def fold_twins(paths: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Return pairs of *paths* that a case-insensitive or normalising file system takes for one.

    Of two folders that such a system would join, the folders are the pair.
    """
    import unicodedata  # 2 ms that names without oddities do not pay

    seen: dict[str, bytes] = {}
    twins: dict[tuple[bytes, bytes], None] = {}
    last_folder = b""
    for path in paths:
        folder = path.rpartition(b"/")[0]
        for each in [path] if folder == last_folder else [*folders_of(path), path]:
            folded = unicodedata.normalize("NFC", each.decode("utf-8", "surrogateescape")).casefold()
            other = seen.setdefault(folded, each)
            # Where their folders differ, these are the pair already.
            if other != each and other.rpartition(b"/")[0] == each.rpartition(b"/")[0]:
                twins[(other, each)] = None
        last_folder = folder
    return list(twins)


def folders_of(path: bytes) -> list[bytes]:
    """Return every folder above *path*, outermost first: `a/b/c` gives `a`, `a/b`."""
    parts = path.split(b"/")[:-1]
    return [b"/".join(parts[: n + 1]) for n in range(len(parts))]


def is_below(path: bytes, folder: bytes) -> bool:
    """Tell whether *path* is *folder* or lies below it; the empty folder holds everything."""
    return not folder or path == folder or path.startswith(folder + b"/")
