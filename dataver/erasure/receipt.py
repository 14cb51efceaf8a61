"""The receipt of an erasure: what was done, where it was looked for, and what is not covered.

A receipt is canonical JSON, so that one altered character gives another digest than the one that the closing
record names.  It holds no names and no content hashes: a leaf's id is made of salted hashes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from dataver.errors import FormatError, UnsupportedError
from dataver.hashing import Buffer, derive
from dataver.model.purging import CloneReport, ErasureReport, Level, RemoteReport, RemoteState

VERSION = 1
MAX_SIZE = 64 * 1024 * 1024
"""Of a receipt, in bytes."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says."""

    report: ErasureReport
    """Without what depends on who asks and when: whether a clone is this one, whether it is overdue."""
    not_covered: tuple[str, ...]
    """Sentences for people."""


_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class _Remote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    name: _Text
    kind: _Text
    state: RemoteState
    level: Level
    url: _Text = ""
    until: _Text = ""
    why: _Text = ""
    writers: list[_Text] = []
    entries: int = 0
    objects: int = 0
    packs: int = 0
    written: int = 0
    removed: int = 0
    notes: list[_Text] = []


class _Clone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    clone: _Text
    acknowledged: bool
    last_seen: _Text


class _Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    erasure: _Text
    state: Literal["open", "settling", "pending", "done", "closed", "lifted"]
    begun: _Text
    due: _Text
    closed: _Text
    ticket: _Text
    entries: int
    leaves: list[tuple[_Text, int]]
    facts: list[tuple[_Text, _Text]]
    local: Literal["ABSENT", "PRESENT", "UNKNOWN"]
    remotes: list[_Remote]
    clones: list[_Clone]
    signed_by: list[_Text]
    not_covered: list[_Text]


class _Version(msgspec.Struct):
    version: int


_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(_Receipt).decode
_decode_version = msgspec.json.Decoder(_Version).decode


def receipt_of(report: ErasureReport) -> bytes:
    """Return the receipt of an erasure, as it stands in *report*."""
    return _encoded(Receipt(report, limits_of(report)))


def receipt_digest(data: Buffer) -> bytes:
    """Return the digest by which the closing record names a receipt."""
    return derive("dataver v1 receipt", data)


def decode_receipt(data: Buffer, where: str) -> Receipt:
    """Return what a receipt says; *where* names it.

    Raises: FormatError when it is not the one valid encoding, UnsupportedError for a later version.
    """
    if len(data) > MAX_SIZE:
        raise FormatError(where, f"{len(data)} bytes long")
    try:
        version = _decode_version(data).version
        if version != VERSION:
            raise UnsupportedError(f"{where}: receipt version", version)
        wire = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(where, str(error)) from error
    receipt = Receipt(
        ErasureReport(
            erasure=wire.erasure,
            state=wire.state,
            date=wire.begun,
            due=wire.due,
            is_overdue=False,
            ticket=wire.ticket,
            leaves=tuple(wire.leaves),
            facts=tuple(wire.facts),
            remotes=tuple(_remote_of(remote) for remote in wire.remotes),
            clones=tuple(
                CloneReport(c.clone, is_this=False, acknowledged=c.acknowledged, last_seen=c.last_seen)
                for c in wire.clones
            ),
            signed_by=tuple(wire.signed_by),
            local=wire.local,
            closed=wire.closed,
        ),
        tuple(wire.not_covered),
    )
    if _encoded(receipt) != bytes(data):
        raise FormatError(where, "not the one valid encoding")
    return receipt


def _encoded(receipt: Receipt) -> bytes:
    report = receipt.report
    return _encode(
        _Receipt(
            version=VERSION,
            erasure=report.erasure,
            state=report.state,
            begun=report.date,
            due=report.due,
            closed=report.closed,
            ticket=report.ticket,
            entries=report.entries,
            leaves=sorted(report.leaves),
            facts=list(report.facts),
            local=report.local,
            remotes=[_wire_of(remote) for remote in report.remotes],
            clones=[_Clone(c.clone, c.acknowledged, c.last_seen) for c in report.clones],
            signed_by=sorted(report.signed_by),
            not_covered=list(receipt.not_covered),
        )
    )


def _wire_of(remote: RemoteReport) -> _Remote:
    return _Remote(
        name=remote.name,
        url=remote.url,
        kind=remote.kind,
        state=remote.state,
        level=remote.level,
        until=remote.until,
        why=remote.why,
        writers=list(remote.writers),
        entries=remote.entries,
        objects=remote.objects,
        packs=remote.packs,
        written=remote.written,
        removed=remote.removed,
        notes=list(remote.notes),
    )


def _remote_of(wire: _Remote) -> RemoteReport:
    return RemoteReport(
        name=wire.name,
        url=wire.url,
        kind=wire.kind,
        state=wire.state,
        level=wire.level,
        until=wire.until,
        why=wire.why,
        writers=tuple(wire.writers),
        entries=wire.entries,
        objects=wire.objects,
        packs=wire.packs,
        written=wire.written,
        removed=wire.removed,
        notes=tuple(wire.notes),
    )


def limits_of(report: ErasureReport) -> tuple[str, ...]:
    """Return what an erasure does not cover, as sentences; what is special to this one comes first."""
    found = [_limit_of(remote) for remote in report.remotes if remote.state != "ABSENT"]
    if report.local != "ABSENT":
        found.append("The clone that made this receipt was not shown to be free of the data.")
    silent = sum(not clone.acknowledged for clone in report.clones)
    if silent:
        found.append(f"{silent:,} of {len(report.clones):,} known clones {_SILENT}")
    facts = dict(report.facts)
    if _says_some(facts, "not_examined"):
        found.append(f"Data sets that could not be looked into: {facts['not_examined']}. {_NOT_EXAMINED}")
    if _says_some(facts, "residue"):
        found.append(f"Places in Git itself that still name the data: {facts['residue']}.")
    return (*found, *(" ".join(each.split()) for each in _ALWAYS.strip().split("\n\n")))


_SILENT = (
    "did not yet say that the data left them. Each removes it at its next contact with a remote;"
    " one that never connects again keeps what it has."
)
_NOT_EXAMINED = "Archives, binary formats and versions that cannot be read may hold the data as well."
_ALWAYS = """
Git's own history was not changed: commit messages, the names of branches and tags, and the paths of
pointers stay as they are.

Copies of the repository that no remote ever heard of are not known, and neither are files that somebody
copied elsewhere, nor models, reports and other things that were made from the data.

Backups and snapshots of disks and buckets are out of reach. When one is restored, the erasure has to be
applied again (dataver purge sweep), from records that hold no personal data.

A storage provider may keep deleted data for a time within its own systems; what it promises stands in the
contract with it.

Deleted blocks of disks were released, not overwritten.

One keyed hash of each erased content stays in the records, so that it is recognised if it returns. Whoever
has both the key of this repository and exactly the same bytes can tell that they were erased.
"""


def _limit_of(remote: RemoteReport) -> str:
    said = f"Remote {remote.name}: "
    match remote.state:
        case "RESTRICTED":
            return f"{said}the provider keeps deleted data until {remote.until or 'a date it did not tell'}."
        case "UNKNOWN":
            return f"{said}nobody could look whether the data is there ({remote.why or 'no reason known'})."
        case "PENDING":
            return f"{said}the erasure is not finished there ({remote.why or 'it has to be resumed'})."
    return f"{said}the data is still there{f' ({remote.why})' if remote.why else ''}."


def _says_some(facts: dict[str, str], name: str) -> bool:
    """Tell whether the fact *name* says more than nothing."""
    return facts.get(name, "0") not in ("", "0")
