"""How much of a version was erased, and by which erasures: known again without opening its leaves."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from dataver.errors import DataverError, Failure
from dataver.hashing import blake3_of
from dataver.repo import Repo, has_records


class ErasedPart(NamedTuple):
    """What a version lacks since it was erased."""

    entries: int
    names: tuple[str, ...]
    """Of the erasures, like `E-1f3a9c2e`, sorted."""

    @property
    def text(self) -> str:
        """What people are told."""
        files = "1 file was" if self.entries == 1 else f"{self.entries} files were"
        return f"{files} erased ({', '.join(self.names)}) and left out"


NONE = ErasedPart(0, ())


def erased_part(repo: Repo, root_id: bytes) -> ErasedPart:
    """Return what the records took of the tree *root_id*.

    Raises: MissingObjectError where the tree is not here whole, other integrity errors.
    """
    if not has_records(repo.common_folder) or not repo.trees.erased:
        return NONE
    from dataver.transfer.connect import stamp_of_records  # only where records exist

    basis = blake3_of(repr(stamp_of_records(repo.common_folder)).encode()).hex()
    key = f"erased:{root_id.hex()}"
    try:
        known, count, names = json.loads(repo.state.get(key) or b"")
        if known == basis:
            return ErasedPart(int(count), tuple(map(str, names)))
    except (ValueError, TypeError):
        pass
    trees = repo.trees
    gone = [c for ref in trees.root(root_id).leaves for c in trees.leaf(ref).erased]
    found = ErasedPart(len(gone), tuple(sorted({repo.erasures.name_of(c) for c in gone} - {""})))
    repo.state.put(key, json.dumps([basis, *found]).encode())
    return found


def erased_notice(repo: Repo, shown: bytes, root_id: bytes) -> list[Failure]:
    """Return the notice that entries of the version *root_id* of *shown* were erased, where some were.

    Raises: what `erased_part` raises.
    """
    part = erased_part(repo, root_id)
    return [Failure(shown, "erased", part.text, "", 0)] if part.entries else []


class Version(Protocol):
    """A version of a target; `transfer.wanted.Version` is one."""

    @property
    def root_id(self) -> bytes: ...

    @property
    def target(self) -> bytes: ...


def erased_notices(repo: Repo, versions: Iterable[Version]) -> list[Failure]:
    """Return a notice for each of *versions* of which something was erased; none for one that is not here."""
    found: dict[Failure, None] = {}
    for version in versions:
        with contextlib.suppress(DataverError):
            found.update(dict.fromkeys(erased_notice(repo, version.target, version.root_id)))
    return list(found)
