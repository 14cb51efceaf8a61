"""Who may sign erasures, and the signatures that a plan gathers before it may run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace as replace_value

from dataver.disk.atomic import make_folders, replace
from dataver.erasure.plan import approvals_path, load_plan
from dataver.erasure.records import Signers
from dataver.erasure.signatures import SshKeygen, fingerprint, key_of, public_key, sign
from dataver.errors import FormatError, PurgeRefusedError, SignatureRefusedError, UsageError, local_error
from dataver.formats.erasure import (
    SIGNERS,
    Record,
    Signature,
    encode_record,
    encode_signed,
    signers_hash,
)
from dataver.model.purging import PurgeApproveResult, SignersResult
from dataver.ops.configure import config_set
from dataver.ops.purge_places import open_places
from dataver.ops.purge_publish import publish_record
from dataver.repo import Repo
from dataver.workspace.paths import PathLike

SigningKeys = PathLike | Sequence[PathLike]
"""One file with an SSH key, or several."""
_MAX_SIZE = 1 << 20


def purge_approve(
    repo: Repo, plan: str, *, signing_key: SigningKeys = (), signature: str | None = None
) -> PurgeApproveResult:
    """Sign a plan with the SSH key in the file *signing_key*, or take over an armored *signature*.

    What is signed are the bytes that `approval_text` gives.  Raises: UsageError for no such plan;
    SignatureRefusedError for a key that is no signer's, or a signature of something else.
    """
    found = load_plan(repo.common_folder, plan)
    signers = repo.erasures.signers
    if signers is None:
        raise UsageError(
            "no signers are appointed, so nothing needs approval",
            hint=f"dataver purge run {found.digest[:12]}",
        )
    body = encode_record(found.record)
    made = _signed(repo, body, signing_key)
    if signature is not None:
        made.append(Signature(key_of(signature, "the signature"), signature))
    if not made:
        raise UsageError("say with which key", hint=f"dataver purge approve {plan} --signing-key FILE")
    have = {s.key: s for s in _waiting(repo, found.digest, body, signers)}
    for one in made:
        _check(one, body, signers)
        have[one.key] = one
    _keep(repo, found.digest, list(have.values()))
    return PurgeApproveResult(found.digest, len(have), signers.approvals, fingerprint(made[-1].key))


def approval_text(repo: Repo, plan: str) -> bytes:
    """Return the bytes that signers sign for a plan; they hold no names and no content hashes."""
    return encode_record(load_plan(repo.common_folder, plan).record)


def signatures_for(
    repo: Repo, body: bytes, digest: str, signing_key: SigningKeys, *, hint: str, needed: int | None = None
) -> tuple[Signature, ...]:
    """Return as many good signatures of *body* as its journals ask for; none where nobody is appointed.

    Those that wait for *digest* count, and one is made with *signing_key*; *needed* is how many, where
    not all approvals are.  Raises: SignatureRefusedError.
    """
    signers = repo.erasures.signers
    if signers is None:
        return ()
    signers = signers if needed is None else replace_value(signers, approvals=needed)
    have = {s.key: s for s in _waiting(repo, digest, body, signers)} if digest else {}
    for made in _signed(repo, body, signing_key) if len(have) < signers.approvals else ():
        _check(made, body, signers)
        have[made.key] = made
    if len(have) < signers.approvals:
        error = SignatureRefusedError(
            digest[:12] or "the record", f"{len(have)} of {signers.approvals} approvals are there"
        )
        error.hint = hint
        raise error
    return tuple(sorted(have.values())[: signers.approvals])


def drop_signatures(repo: Repo, digest: str) -> None:
    """Forget what was signed for a plan."""
    path = approvals_path(repo.common_folder, digest)
    if os.path.exists(path):
        repo.disk.unlink(path)


def purge_signers(
    repo: Repo, keys: Sequence[PathLike], *, approvals: int = 1, signing_key: SigningKeys = ()
) -> SignersResult:
    """Appoint who may sign erasures: SSH public keys in files, *approvals* of which a record needs.

    Without *keys* only tells who they are.  The first appointment is signed by its own keys and pinned in
    the committed configuration; a later one is signed by those in force.

    Raises: UsageError, SignatureRefusedError, PurgeRefusedError where a remote cannot be reached.
    """
    signers = repo.erasures.signers
    if not keys:
        found = sorted(signers.keys) if signers is not None else []
        count = signers.approvals if signers is not None else 0
        return SignersResult(tuple(map(fingerprint, found)), count, changed=False)
    wanted = sorted({public_key(os.path.join(repo.cwd, os.fsdecode(path))) for path in keys})
    if not 1 <= approvals <= len(wanted):
        raise UsageError(f"{approvals} approvals of {len(wanted)} keys", hint="dataver purge signers --help")
    places = open_places(repo)
    silent = [place.name for place in places if not place.is_ready]
    if silent or not places:
        raise PurgeRefusedError(f"signers are appointed on all remotes at once; no answer from {silent}")
    signers = repo.erasures.signers
    adopts = () if signers is not None else tuple(sorted(repo.erasures.records))
    after = signers.hash if signers is not None else b""
    record = Record(
        SIGNERS, os.urandom(16), keys=tuple(wanted), approvals=approvals, after=after, adopts=adopts
    )
    body = encode_record(record)
    if signers is None:
        signers = Signers(frozenset(wanted), approvals, b"")
    made = {one.key: one for one in _signed(repo, body, signing_key)}
    for one in made.values():
        _check(one, body, signers)
    if len(made) < signers.approvals:
        raise UsageError(
            f"{len(made)} of {signers.approvals} approvals are there: sign with that many keys",
            hint="dataver purge signers KEY.pub --signing-key KEY --signing-key KEY",
        )
    signatures = tuple(sorted(made.values()))
    for place in places:
        publish_record(repo, place, record, encode_signed(body, signatures))
    if not repo.config.signers_pin:
        config_set(repo, "policy.signers", signers_hash(body).hex())
    return SignersResult(tuple(map(fingerprint, wanted)), approvals, changed=True)


def _signed(repo: Repo, body: bytes, signing_key: SigningKeys) -> list[Signature]:
    """Return the signatures of *body* by the keys in files.  Raises: SignatureRefusedError, LocalIOError."""
    given = [signing_key] if isinstance(signing_key, str | bytes | os.PathLike) else signing_key
    paths = [os.path.expanduser(os.fsdecode(path)) for path in given if path]
    return [sign(body, os.path.join(repo.cwd, path)) for path in paths]


def _check(signature: Signature, body: bytes, signers: Signers) -> None:
    """Raises: SignatureRefusedError."""
    if signature.key not in signers.keys:
        raise SignatureRefusedError("the signature", f"{fingerprint(signature.key)} is no signer's key")
    if not SshKeygen().is_valid(body, signature):
        raise SignatureRefusedError("the signature", "it is not one of this plan")


def _waiting(repo: Repo, digest: str, body: bytes, signers: Signers) -> list[Signature]:
    """Return the good signatures that wait for a plan."""
    path = approvals_path(repo.common_folder, digest)
    try:
        with open(path, "rb") as file:
            rows = json.loads(file.read(_MAX_SIZE))
        found = [Signature(str(key), str(armored)) for key, armored in rows]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise FormatError(path, str(error)) from error
    except OSError as error:
        raise local_error(error, path) from error
    return [s for s in found if s.key in signers.keys and SshKeygen().is_valid(body, s)]


def _keep(repo: Repo, digest: str, signatures: Sequence[Signature]) -> None:
    path = approvals_path(repo.common_folder, digest)
    make_folders(repo.disk, os.path.dirname(path))
    replace(repo.disk, path, json.dumps([list(s) for s in sorted(signatures)]).encode())
