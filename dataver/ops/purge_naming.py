"""Erasures and holds by what people call them."""

from __future__ import annotations

from dataver.errors import UnknownErasureError
from dataver.formats.erasure import HOLD
from dataver.repo import Repo


def uid_of(repo: Repo, name: str) -> bytes:
    """Return the uid of the erasure called *name*, like `E-1f3a9c2e`.  Raises: UnknownErasureError."""
    digits = name.strip().lower().removeprefix("e-")
    found = [uid for uid in repo.erasures.erasures if digits and uid.hex().startswith(digits)]
    if len(found) != 1:
        raise UnknownErasureError(name)
    return found[0]


def hold_uid_of(repo: Repo, name: str) -> bytes:
    """Return the uid of the hold that is called *name*, like `H-1f3a9c2e`.  Raises: UnknownErasureError."""
    digits = name.strip().lower().removeprefix("h-")
    records = repo.erasures.records
    found = [
        uid
        for uid, record in records.items()
        if record.kind == HOLD and digits and uid.hex().startswith(digits)
    ]
    if len(found) != 1:
        raise UnknownErasureError(name, hint="dataver hold list")
    return found[0]
