"""Erasure records: what must be erased, held or let be, with the signatures of who decided it.

A record is the body of a journal entry: canonical JSON of a signed body and its signatures.  It
holds no name and no content hash.  See docs/format.md, chapter "Erasure records".

Longer than 300 lines because a record, its bounds and its one valid encoding are checked in one pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, NamedTuple

import msgspec

from dataver.errors import FormatError, SignatureRefusedError, UnsupportedError
from dataver.hashing import Buffer, derive, keyed
from dataver.model.names import Oid

VERSION = 1
DENY, EXTEND, HOLD, RELEASE, LIFT, CLOSE, SIGNERS = (
    "deny",
    "extend",
    "hold",
    "release",
    "lift",
    "close",
    "signers",
)
KINDS = frozenset((DENY, EXTEND, HOLD, RELEASE, LIFT, CLOSE, SIGNERS))
NAMESPACE = "dataver-erasure"
"""Of the SSH signatures."""
UID_SIZE = 16
DENY_ID_SIZE = 16
TAG_OID, TAG_ENTRY = b"o", b"e"
MAX_SIZE = 64 * 1024 * 1024
"""Of a record with its signatures, in bytes."""
MAX_IDS = 1_000_000
"""Deny ids, commitments and substitutes, together."""
MAX_KEYS = 64
MAX_APPROVALS = 16
_MAX_KEY_TEXT = 16 * 1024
_MAX_INFO = 32

_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[a-z0-9@.-]{1,60} [A-Za-z0-9+/]{16,}={0,2}")
_ARMORED = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\n(?:[A-Za-z0-9+/]{1,76}={0,2}\n)+-----END SSH SIGNATURE-----\n"
)


@dataclass(frozen=True, slots=True)
class Record:
    """A signed body; which fields it may have depends on its kind."""

    kind: str
    uid: bytes
    """16 random bytes, valid once in a journal."""
    of: bytes = b""
    """The record that this one extends, releases, lifts or closes, by uid."""
    deny: tuple[bytes, ...] = ()
    """Deny ids, ascending; of a hold: what is held."""
    redact: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Leaf id -> commitments of its entries that are erased, ascending."""
    substitute: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}))
    """Commitment of an entry -> commitment of the entry that takes its place."""
    due: str = ""
    """Date by which it must be done, as in `2026-03-02`."""
    plan: bytes = b""
    """Digest of the plan that was approved."""
    keys: tuple[str, ...] = ()
    """Of signers: SSH public keys, ascending, `type base64` each."""
    approvals: int = 0
    """Of signers: how many different keys must sign a record."""
    after: bytes = b""
    """Of signers: hash of the signers record that this one follows; empty in the first."""
    adopts: tuple[bytes, ...] = ()
    """Of the first signers: uids of unsigned records before it that stay valid, ascending."""
    info: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """For people, without personal data; nothing decides by it."""

    @property
    def name(self) -> str:
        """How people see the erasure that this record is or belongs to."""
        return erasure_name(self.of or self.uid)


class Signature(NamedTuple):
    key: str
    """SSH public key, `type base64`."""
    armored: str


class SignedRecord(NamedTuple):
    record: Record
    signed: bytes
    """The very bytes that are signed."""
    signatures: tuple[Signature, ...]
    """Ascending by key, each key once; not verified here."""


_Hex16 = Annotated[str, msgspec.Meta(min_length=32, max_length=32)]
_Hex32 = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
_Hash = Annotated[str, msgspec.Meta(max_length=64)]
_KeyText = Annotated[str, msgspec.Meta(max_length=_MAX_KEY_TEXT)]
_Ids = msgspec.Meta(max_length=MAX_IDS)
_InfoText = Annotated[str, msgspec.Meta(max_length=1024)]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    kind: str
    uid: _Hex16
    version: int
    adopts: Annotated[list[_Hex16], msgspec.Meta(max_length=10_000)] = []
    after: _Hash = ""
    approvals: int = 0
    deny: Annotated[list[_Hex16], _Ids] = []
    due: Annotated[str, msgspec.Meta(max_length=10)] = ""
    info: Annotated[dict[_InfoText, _InfoText], msgspec.Meta(max_length=_MAX_INFO)] = {}
    keys: Annotated[list[_KeyText], msgspec.Meta(max_length=MAX_KEYS)] = []
    of: Annotated[str, msgspec.Meta(max_length=32)] = ""
    plan: _Hash = ""
    redact: Annotated[dict[_Hex32, Annotated[list[_Hex32], _Ids]], _Ids] = {}
    substitute: Annotated[dict[_Hex32, _Hex32], _Ids] = {}


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    record: msgspec.Raw
    signatures: Annotated[list[tuple[_KeyText, _KeyText]], msgspec.Meta(max_length=MAX_KEYS)]


class _Head(msgspec.Struct):
    version: int
    kind: str


# The fields that each kind may have beside kind, uid, version and info; those with `!` it must have.
_ERASES = ("deny", "redact", "substitute", "due", "plan")
_FIELDS: dict[str, tuple[str, ...]] = {
    DENY: _ERASES,
    EXTEND: ("!of", *_ERASES),
    HOLD: ("!deny", "due"),
    RELEASE: ("!of",),
    LIFT: ("!of",),
    CLOSE: ("!of",),
    SIGNERS: ("!keys", "!approvals", "after", "adopts"),
}
_ALL_FIELDS = frozenset(name.lstrip("!") for names in _FIELDS.values() for name in names)

_encode = msgspec.json.Encoder(order="sorted").encode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_decode_signed = msgspec.json.Decoder(_Signed).decode
_encode_pair = msgspec.msgpack.Encoder().encode


def erasure_name(uid: bytes) -> str:
    """Return how people see an erasure: `E-` and the first 8 hex digits of its uid."""
    return f"E-{uid[:4].hex()}"


def hold_name(uid: bytes) -> str:
    """Return how people see a hold: `H-` and the first 8 hex digits of its uid."""
    return f"H-{uid[:4].hex()}"


def deny_id(deny_key: bytes, tag: bytes, data: bytes) -> bytes:
    """Return the 16-byte id under which *data* is denied; *tag* is `TAG_OID` or `TAG_ENTRY`."""
    return keyed(deny_key, tag + data, DENY_ID_SIZE)


def entry_data(path: bytes, oid: Oid) -> bytes:
    """Return what is denied with `TAG_ENTRY`: canonical msgpack of `[path, oid]`."""
    return _encode_pair((path, oid))


def signers_hash(signed: bytes) -> bytes:
    """Return the hash by which a signers record is pinned and followed."""
    return derive("dataver v1 signers", signed)


def encode_record(record: Record) -> bytes:
    """Return the one valid encoding of a signed body.  Raises: FormatError when it has none."""
    _check(record)
    return _encode(
        _Body(
            kind=record.kind,
            uid=record.uid.hex(),
            version=VERSION,
            adopts=[uid.hex() for uid in record.adopts],
            after=record.after.hex(),
            approvals=record.approvals,
            deny=[one.hex() for one in record.deny],
            due=record.due,
            info=dict(record.info),
            keys=list(record.keys),
            of=record.of.hex(),
            plan=record.plan.hex(),
            redact={leaf.hex(): [c.hex() for c in cs] for leaf, cs in record.redact.items()},
            substitute={old.hex(): new.hex() for old, new in record.substitute.items()},
        )
    )


def encode_signed(signed: bytes, signatures: tuple[Signature, ...] = ()) -> bytes:
    """Return a journal entry's body: a signed body with its signatures."""
    ordered = sorted(signatures)
    return _encode(_Signed(msgspec.Raw(signed), [(s.key, s.armored) for s in ordered]))


def decode_signed(body: Buffer, kind: str, where: str) -> SignedRecord:
    """Return the record in a journal entry's *body*; *kind* is the entry's, *where* names it.

    Raises: FormatError when it is not the one valid encoding, SignatureRefusedError when it is
    oversized, UnsupportedError for a version or kind that this release does not know.
    """
    if len(body) > MAX_SIZE:
        raise SignatureRefusedError(where, f"oversized, {len(body)} bytes")
    try:
        outer = _decode_signed(body)
        signed = bytes(outer.record)
        record = _record(signed, where)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise FormatError(where, str(error)) from error
    if record.kind != kind:
        raise FormatError(where, f"a record of kind {record.kind} in an entry of kind {kind}")
    signatures = tuple(Signature(key, armored) for key, armored in outer.signatures)
    keys = [signature.key for signature in signatures]
    if keys != sorted(set(keys)) or not all(map(_KEY.fullmatch, keys)):
        raise FormatError(where, "signatures out of order, or of malformed keys")
    if not all(_ARMORED.fullmatch(signature.armored) for signature in signatures):
        raise FormatError(where, "a malformed signature")
    if encode_signed(signed, signatures) != bytes(body):
        raise FormatError(where, "not the one valid encoding")
    return SignedRecord(record, signed, signatures)


def decode_body(signed: bytes, where: str) -> Record:
    """Return the record of a signed body alone.  Raises: FormatError, UnsupportedError."""
    try:
        return _record(signed, where)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise FormatError(where, str(error)) from error


def _record(signed: bytes, where: str) -> Record:
    head = _decode_head(signed)
    if head.version != VERSION:
        raise UnsupportedError(f"{where}: erasure record version", head.version)
    if head.kind not in KINDS:
        raise UnsupportedError(f"{where}: erasure record kind", head.kind)
    wire = _decode_body(signed)
    unhex = bytes.fromhex
    record = Record(
        kind=wire.kind,
        uid=unhex(wire.uid),
        of=unhex(wire.of),
        deny=tuple(map(unhex, wire.deny)),
        redact=MappingProxyType({unhex(leaf): tuple(map(unhex, cs)) for leaf, cs in wire.redact.items()}),
        substitute=MappingProxyType({unhex(old): unhex(new) for old, new in wire.substitute.items()}),
        due=wire.due,
        plan=unhex(wire.plan),
        keys=tuple(wire.keys),
        approvals=wire.approvals,
        after=unhex(wire.after),
        adopts=tuple(map(unhex, wire.adopts)),
        info=MappingProxyType(wire.info),
    )
    if encode_record(record) != signed:
        raise FormatError(where, "not the one valid encoding")
    return record


def _check(record: Record) -> None:
    what = f"{record.kind} record"
    allowed = _FIELDS.get(record.kind)
    if allowed is None:
        raise UnsupportedError("erasure record kind", record.kind)
    for name in _ALL_FIELDS:
        if getattr(record, name) and name not in allowed and f"!{name}" not in allowed:
            raise FormatError(what, f"may not have {name!r}")
    for name in allowed:
        if name.startswith("!") and not getattr(record, name[1:]):
            raise FormatError(what, f"must have {name[1:]!r}")
    if record.kind in (DENY, EXTEND) and not (record.deny or record.redact or record.substitute):
        raise FormatError(what, "erases nothing")
    count = len(record.deny) + len(record.substitute) + sum(map(len, record.redact.values()))
    if count > MAX_IDS or len(record.keys) > MAX_KEYS or len(record.info) > _MAX_INFO:
        raise FormatError(what, "more than a record may hold")
    if len(record.uid) != UID_SIZE or len(record.of) not in (0, UID_SIZE) or record.of == record.uid:
        raise FormatError(what, "a malformed uid")
    if not _are(record.deny, DENY_ID_SIZE) or not _are(record.adopts, UID_SIZE):
        raise FormatError(what, "ids malformed, out of order or twice")
    if not all(len(leaf) == 32 and cs and _are(cs, 32) for leaf, cs in record.redact.items()):
        raise FormatError(what, "commitments malformed, out of order or twice")
    if not all(len(a) == len(b) == 32 and a != b for a, b in record.substitute.items()):
        raise FormatError(what, "a malformed substitute")
    if len(record.plan) not in (0, 32) or len(record.after) not in (0, 32):
        raise FormatError(what, "a malformed hash")
    if record.due and not _DATE.fullmatch(record.due):
        raise FormatError(what, "a malformed date")
    if record.kind == SIGNERS:
        _check_signers(record)


def _check_signers(record: Record) -> None:
    if list(record.keys) != sorted(set(record.keys)) or not all(map(_KEY.fullmatch, record.keys)):
        raise FormatError("signers record", "keys malformed, out of order or twice")
    if not 1 <= record.approvals <= min(len(record.keys), MAX_APPROVALS):
        raise FormatError("signers record", f"{record.approvals} approvals of {len(record.keys)} keys")
    if record.adopts and record.after:
        raise FormatError("signers record", "only the first one adopts")


def _are(ids: tuple[bytes, ...], size: int) -> bool:
    return all(len(one) == size for one in ids) and all(a < b for a, b in zip(ids, ids[1:], strict=False))
