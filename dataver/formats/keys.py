"""The repository secret and the keys that are derived from it.

The secret never enters Git: it lies in this clone's `keys.toml` and on the remote under
`keys/secret`, in the same encoding.  See docs/format.md, chapter "The repository secret".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dataver.errors import FormatError, UnsupportedError
from dataver.hashing import derive

VERSION = 1
SECRET_SIZE = 32
MAX_SIZE = 4 * 1024
_FORM = re.compile(rb'version = 1\nsecret = "([0-9a-f]{64})"\n')
_VERSION_LINE = re.compile(rb"^version = ([0-9]{1,9})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Secret:
    """32 random bytes that all clones of one repository share."""

    value: bytes = field(repr=False)  # never in a log or traceback

    def __post_init__(self) -> None:
        if len(self.value) != SECRET_SIZE:
            raise FormatError("repository secret", f"{len(self.value)} bytes long, not {SECRET_SIZE}")

    @property
    def tree_key(self) -> bytes:
        """The 32-byte key from which leaf keys are drawn."""
        return derive("dataver v1 tree key", self.value)

    @property
    def deny_key(self) -> bytes:
        """The 32-byte key under which denied content is recognised."""
        return derive("dataver v1 deny key", self.value)


def encode_secret(secret: Secret) -> bytes:
    """Return the bytes of `keys.toml` and of a remote's `keys/secret`."""
    return f'version = {VERSION}\nsecret = "{secret.value.hex()}"\n'.encode()


def decode_secret(data: bytes, where: str) -> Secret:
    """Return the secret in *data*; *where* names it in errors.

    Raises: FormatError, UnsupportedError for a later version.
    """
    if len(data) > MAX_SIZE:
        raise FormatError(where, f"{len(data)} bytes long")
    version = _VERSION_LINE.search(data)
    if version and int(version[1]) > VERSION:
        raise UnsupportedError(f"{where}: secret version", int(version[1]))
    found = _FORM.fullmatch(data)
    if not found:
        raise FormatError(where, "not the one valid encoding of a repository secret")
    return Secret(bytes.fromhex(found[1].decode()))
