"""SSH signatures of erasure records, as `ssh-keygen -Y` makes and verifies them."""

from __future__ import annotations

import base64
import os
import tempfile
from typing import Protocol

from dataver.disk import process
from dataver.errors import LocalIOError, SignatureRefusedError
from dataver.formats.erasure import NAMESPACE, Signature

_IDENTITY = "signer"
_TIMEOUT_S = 30.0


class Verifier(Protocol):
    """Who tells whether a signature is good; a cache may stand before the program."""

    def is_valid(self, signed: bytes, signature: Signature) -> bool:
        """Tell whether *signature* is one of *signed* by the key that it names."""


class SshKeygen:
    """Asks the program `ssh-keygen`."""

    def is_valid(self, signed: bytes, signature: Signature) -> bool:
        """Raises: LocalIOError where the program is missing or silent."""
        with tempfile.TemporaryDirectory(prefix="dataver-") as folder:
            allowed, sig = os.path.join(folder, "allowed"), os.path.join(folder, "sig")
            with open(allowed, "w", encoding="ascii") as file:
                file.write(f'{_IDENTITY} namespaces="{NAMESPACE}" {signature.key}\n')
            with open(sig, "w", encoding="ascii") as file:
                file.write(signature.armored)
            argv = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", _IDENTITY, "-n", NAMESPACE, "-s", sig]
            answer = _asked(argv, signed)
        # Both: a status can be lost where somebody else waits for our children.
        return answer.status == 0 and answer.stdout.startswith(f'Good "{NAMESPACE}" signature'.encode())


def sign(data: bytes, key_path: str) -> Signature:
    """Return the signature of *data* by the SSH key in a file: the private key, or one that an agent holds.

    Raises: LocalIOError, SignatureRefusedError where ssh-keygen cannot sign with it.
    """
    with tempfile.TemporaryDirectory(prefix="dataver-") as folder:
        path = os.path.join(folder, "body")
        with open(path, "wb") as file:
            file.write(data)
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-f", key_path, "-n", NAMESPACE, path]
        answer = _asked(argv)
        if answer.status:
            said = answer.stderr.decode("utf-8", "replace").strip().splitlines()
            raise SignatureRefusedError(key_path, said[-1] if said else "ssh-keygen cannot sign with it")
        with open(f"{path}.sig", encoding="ascii") as file:
            armored = file.read()
    return Signature(key_of(armored, key_path), armored)


def key_of(armored: str, where: str) -> str:
    """Return the public key that stands in a signature, `type base64`.

    The blob is that of OpenSSH's PROTOCOL.sshsig: magic, version, then the key as a string of bytes.
    Raises: SignatureRefusedError.
    """
    try:
        blob = base64.b64decode("".join(armored.strip().splitlines()[1:-1]), validate=True)
        size = int.from_bytes(blob[10:14], "big")
        key = blob[14 : 14 + size]
        kind = key[4 : 4 + int.from_bytes(key[:4], "big")].decode("ascii")
    except (ValueError, UnicodeDecodeError) as error:
        raise SignatureRefusedError(where, "no SSH signature") from error
    if blob[:6] != b"SSHSIG" or not kind or len(key) != size:
        raise SignatureRefusedError(where, "no SSH signature")
    return f"{kind} {base64.b64encode(key).decode()}"


def public_key(path: str) -> str:
    """Return the public key in a file, `type base64`.  Raises: LocalIOError, SignatureRefusedError."""
    try:
        with open(path, encoding="utf-8") as file:
            words = file.read(16_384).split()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalIOError(path, "cannot be read as an SSH public key") from error
    if len(words) < 2 or words[0].startswith("-"):
        raise SignatureRefusedError(path, "no SSH public key: give the file that ends in .pub")
    return f"{words[0]} {words[1]}"


def fingerprint(key: str) -> str:
    """Return how OpenSSH shows a public key, like `SHA256:...`."""
    answer = _asked(["ssh-keygen", "-l", "-f", "-"], f"{key}\n".encode())
    words = answer.stdout.decode("ascii", "replace").split()
    return words[1] if not answer.status and len(words) > 1 else key.split()[-1][-16:]


def _asked(argv: list[str], stdin: bytes = b"") -> process.Completed:
    try:
        return process.run(argv, stdin=stdin, timeout_s=_TIMEOUT_S)
    except LocalIOError as error:
        raise LocalIOError(
            "ssh-keygen", error.why, hint="install the OpenSSH client: erasure records are signed"
        ) from error
