"""What an erasure will do, decided and not yet done: a record to be signed, and what it was decided upon.

A plan is kept in this clone, in a file that only its owner can read and that goes with the erasure.
Its digest is what people approve.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import msgspec

from dataver.disk.atomic import make_folders
from dataver.disk.atomic import replace as replace_file
from dataver.disk.disk import Disk
from dataver.erasure.records import ErasureState
from dataver.errors import DataverError, FormatError, UsageError, local_error
from dataver.formats.erasure import Record, decode_body, encode_record
from dataver.formats.tree import Substitute, decode_substitute, encode_substitute
from dataver.hashing import derive
from dataver.model.names import Oid

_FOLDER = "purge"
_VERSION = 1
_MAX_SIZE = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """One erasure, decided."""

    record: Record
    """As it will stand in the journals; `plan` is its own digest."""
    basis: bytes
    """Digest of all versions that were looked into."""
    remotes: tuple[str, ...]
    """Names of the remotes that it is for."""
    substitutes: Mapping[bytes, tuple[Substitute, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Leaf -> entries that take the place of others; their contents are in the cache.  They alone
    name anything: tables that lose rows."""

    @property
    def digest(self) -> str:
        """64 hex digits, what people approve."""
        return self.record.plan.hex()


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    record: str
    basis: str
    remotes: list[str]
    substitutes: dict[str, list[str]]


_decode = msgspec.json.Decoder(_Wire).decode


def planned(record: Record, basis: bytes, remotes: tuple[str, ...]) -> Record:
    """Return *record* with the digest of the plan that it makes with *basis* and *remotes*."""
    bare = replace(record, plan=b"")
    said = "\n".join(remotes).encode()
    return replace(bare, plan=derive("dataver v1 purge plan", encode_record(bare) + basis + said))


def save_plan(common_folder: str, plan: Plan, disk: Disk) -> None:
    """Keep *plan* where only its owner can read it.  Raises: local errors."""
    folder = f"{common_folder}/{_FOLDER}"
    make_folders(disk, folder)
    os.chmod(folder, 0o700)
    wire = _Wire(
        _VERSION,
        encode_record(plan.record).decode(),
        plan.basis.hex(),
        list(plan.remotes),
        {leaf.hex(): [encode_substitute(s).hex() for s in subs] for leaf, subs in plan.substitutes.items()},
    )
    replace_file(disk, _path(common_folder, plan.digest), msgspec.json.encode(wire))


def load_plan(common_folder: str, digest: str) -> Plan:
    """Return the plan with a *digest*, or a beginning of one that only one plan has.

    Raises: UsageError where there is none; FormatError for one that was changed.
    """
    found = [name for name in plans(common_folder) if digest and name.startswith(digest.lower())]
    if len(found) != 1:
        why = "no plan" if not found else "more than one plan"
        raise UsageError(f"{why} {digest!r} is kept here", hint="dataver purge plan --path PATH")
    path = _path(common_folder, found[0])
    try:
        with open(path, "rb") as file:
            wire = _decode(file.read(_MAX_SIZE))
        if wire.version != _VERSION:
            raise FormatError(path, f"version {wire.version}")
        record = decode_body(wire.record.encode(), path)
        basis = bytes.fromhex(wire.basis)
        substitutes = {
            bytes.fromhex(leaf): tuple(decode_substitute(bytes.fromhex(one)) for one in subs)
            for leaf, subs in wire.substitutes.items()
        }
    except (msgspec.MsgspecError, ValueError) as error:
        raise FormatError(path, str(error)) from error
    except OSError as error:
        raise local_error(error, path) from error
    remotes = tuple(wire.remotes)
    if planned(record, basis, remotes).plan != record.plan or record.plan.hex() != found[0]:
        raise FormatError(path, "the plan was changed since it was made")
    return Plan(record, basis, remotes, MappingProxyType(substitutes))


def plans(common_folder: str) -> list[str]:
    """Return the digests of the plans that are kept here."""
    try:
        names = os.listdir(f"{common_folder}/{_FOLDER}")
    except OSError:
        return []
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def drop_plan(common_folder: str, digest: str, disk: Disk) -> None:
    """Forget a plan and what was signed for it."""
    for path in (_path(common_folder, digest), approvals_path(common_folder, digest)):
        try:
            disk.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise local_error(error, path, "delete") from error


def overtaken_plans(common_folder: str, state: ErasureState) -> dict[str, frozenset[Oid]]:
    """Return the plans that name anything which records in force erase: they hold names.

    By digest, each with the contents that only it put into the cache: tables without some rows, which
    others may have to leave as well.  One that was carried out stays until every remote has its tables.
    """
    found: dict[str, frozenset[Oid]] = {}
    for digest in plans(common_folder):
        try:
            plan = load_plan(common_folder, digest)
        except DataverError:
            found[digest] = frozenset()  # nobody can carry it out
            continue
        gone = {c for cs in plan.record.redact.values() for c in cs}
        denied = set(plan.record.deny)
        is_overtaken = bool(gone & state.erased.entries or denied & state.denied.keys())
        if is_overtaken and not (plan.substitutes and plan.record.uid in state.records):
            entries = (one.entry for some in plan.substitutes.values() for one in some)
            found[digest] = frozenset(entry.oid for entry in entries if entry.oid is not None)
    return found


def published_substitutes(common_folder: str, state: ErasureState) -> dict[bytes, tuple[Substitute, ...]]:
    """Return what by plans kept here takes the place of tables, of records that stand: leaf -> entries.

    A leaf that no remote has can get it from nowhere else.
    """
    found: dict[bytes, tuple[Substitute, ...]] = {}
    for digest in plans(common_folder):
        with contextlib.suppress(DataverError):
            plan = load_plan(common_folder, digest)
            for leaf, some in plan.substitutes.items() if plan.record.uid in state.records else ():
                found[leaf] = (*found.get(leaf, ()), *some)
    return found


def approvals_path(common_folder: str, digest: str) -> str:
    """Return where the signatures for a plan wait."""
    return f"{common_folder}/{_FOLDER}/{digest}.signatures"


def _path(common_folder: str, digest: str) -> str:
    return f"{common_folder}/{_FOLDER}/{digest}.json"
