"""Keys and signatures for tests, made by the real ssh-keygen."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from dataver.formats.erasure import NAMESPACE, Record, Signature, encode_record, encode_signed


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One person's SSH key."""

    path: Path
    public: str
    """`type base64`, without the comment."""

    def sign(self, data: bytes, namespace: str = NAMESPACE) -> Signature:
        """Give this key's signature of *data*."""
        argv = ["ssh-keygen", "-Y", "sign", "-f", str(self.path), "-n", namespace]
        done = subprocess.run(argv, input=data, capture_output=True, check=True)
        return Signature(self.public, done.stdout.decode())


def new_key(folder: Path, name: str) -> SigningKey:
    """Give a new key in *folder*."""
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    kind, base64 = path.with_suffix(".pub").read_text().split()[:2]
    return SigningKey(path, f"{kind} {base64}")


def signed_by(record: Record, *keys: SigningKey) -> bytes:
    """Give a journal entry's body: *record* with the signatures of *keys*."""
    data = encode_record(record)
    return encode_signed(data, tuple(key.sign(data) for key in keys))
