"""Where things lie in a store: ids to keys and back, and the small texts that describe a remote.

Keys are `/`-separated ASCII, relative to the remote's prefix or the cache's folder.  The only
module that knows them.  See docs/format.md, chapters "Cache" and "Remote".
"""

from __future__ import annotations

import re
from typing import NamedTuple, NewType

from dataver.errors import FormatError, UnsupportedError
from dataver.model.names import StructureId

VERSION = 1
DESCRIPTION_KEY = "dataver.toml"
SECRET_KEY = "keys/secret"
HINT_KEY = "journal/hint"
WRITER_LOCK_KEY = "leases/.only-writer"
PACKS_PREFIX = "packs/"
SEGMENTS_PREFIX = "segments/"
JOURNAL_PREFIX = "journal/"
LEASES_PREFIX = "leases/"
REPOS_PREFIX = "repos/"
CLIENTS_PREFIX = "clients/"
MAX_SEQ = 10**16 - 1
MAX_TEXT_SIZE = 4096

ClientId = NewType("ClientId", str)
"""A checked id of a repository, clone, remote or writer: 1 to 64 of `0-9 a-z - _ .`."""


class Description(NamedTuple):
    """What `dataver.toml` says of a remote."""

    remote_id: str
    """32 hex digits."""
    has_one_writer: bool
    """True where storage has no create-if-absent: writers take turns by a lock object."""


_ID = re.compile(r"[0-9a-z][0-9a-z._-]{0,63}")
_HEX_ID = re.compile(r"[0-9a-f]{64}")
_DESCRIPTION_TEXT = (
    "# a dataver remote: everything below this folder belongs together\n"
    'version = 1\nid = "{remote_id}"\nwriters = "{writers}"\n'
)
_DESCRIPTION = re.compile(
    re.escape(_DESCRIPTION_TEXT)
    .replace(r"\{remote_id\}", "([0-9a-f]{32})")
    .replace(r"\{writers\}", "(many|one)")
)
_CLIENT_SEQ = re.compile(rb"^seq = ([0-9]{1,16})$", re.MULTILINE)
_VERSION = re.compile(r"^version = ([0-9]{1,9})$", re.MULTILINE)


def check_id(text: str) -> ClientId:
    """Return *text* as an id that may stand in a key.  Raises: FormatError."""
    if not _ID.fullmatch(text):
        raise FormatError("id", f"{text!r} is no id")
    return ClientId(text)


# -- the cache ----------------------------------------------------------------------------------


# -- packs, in cache and remote -------------------------------------------------------------------


def pack_key(pack_id: bytes) -> str:
    digits = pack_id.hex()
    return f"packs/{digits[:2]}/{digits}"


def pack_id_of_key(key: str) -> StructureId | None:
    """Return the id of a pack's key; None for anything else, such as a stray file."""
    folder, _, digits = key.rpartition("/")
    if not _HEX_ID.fullmatch(digits) or folder != f"packs/{digits[:2]}":
        return None
    return StructureId(bytes.fromhex(digits))


# -- the remote -----------------------------------------------------------------------------------


def segment_key(segment_id: bytes) -> str:
    return SEGMENTS_PREFIX + segment_id.hex()


def segment_id_of_key(key: str) -> StructureId | None:
    """Return the id of a segment's key; None for anything else."""
    prefix, digits = key[: len(SEGMENTS_PREFIX)], key[len(SEGMENTS_PREFIX) :]
    if prefix != SEGMENTS_PREFIX or not _HEX_ID.fullmatch(digits):
        return None
    return StructureId(bytes.fromhex(digits))


def journal_key(seq: int) -> str:
    assert 0 < seq <= MAX_SEQ
    return f"{JOURNAL_PREFIX}{seq:016d}"


def record_key(body_hash: bytes) -> str:
    return f"records/{body_hash.hex()}"


def state_key(state_hash: bytes) -> str:
    return f"states/{state_hash.hex()}"


def lease_key(writer: str) -> str:
    return LEASES_PREFIX + check_id(writer)


def repo_key(repo_id: str) -> str:
    return REPOS_PREFIX + check_id(repo_id)


def client_key(clone_id: str) -> str:
    return CLIENTS_PREFIX + check_id(clone_id)


def encode_description(description: Description) -> bytes:
    """Return the text of `dataver.toml`.  Raises: ValueError for a malformed id."""
    writers = "one" if description.has_one_writer else "many"
    text = _DESCRIPTION_TEXT.format(remote_id=description.remote_id, writers=writers)
    if not _DESCRIPTION.fullmatch(text):
        raise ValueError("a remote's id is 32 hex digits")
    return text.encode()


def decode_description(data: bytes) -> Description:
    """Return what `dataver.toml` says.  Raises: FormatError, UnsupportedError for a later version."""
    match = _DESCRIPTION.fullmatch(_text_of("dataver.toml", data))
    if match is None:
        raise FormatError("dataver.toml", "not the text of a dataver remote")
    return Description(ClientId(match[1]), match[2] == "one")


def encode_client(repo_id: str, seq: int) -> bytes:
    """Return what a clone of repository *repo_id* says that has applied entry *seq*.  Raises: FormatError."""
    return f'version = 1\nrepo = "{check_id(repo_id)}"\nseq = {seq}\n'.encode()


def decode_client(data: bytes) -> int:
    """Return the number of the last entry that a clone says it applied; 0 where it says none."""
    match = _CLIENT_SEQ.search(data)
    return int(match[1]) if match else 0


def encode_hint(seq: int) -> bytes:
    return str(seq).encode()


def decode_hint(data: bytes) -> int:
    """Return the number that the hint names; 0 when it is none: a hint is never trusted."""
    if len(data) > 16 or not data.isdigit():
        return 0
    return int(data)


def _text_of(what: str, data: bytes) -> str:
    if len(data) > MAX_TEXT_SIZE:
        raise FormatError(what, f"{len(data)} bytes long")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError(what, "not ASCII") from error
    version = _VERSION.search(text)
    if version is not None and int(version[1]) > VERSION:
        raise UnsupportedError(f"{what} version", int(version[1]))
    return text
