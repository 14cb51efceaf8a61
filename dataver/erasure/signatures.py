"""SSH signatures of erasure records, as `ssh-keygen -Y` makes and verifies them."""

from __future__ import annotations

import os
import tempfile
from typing import Protocol

from dataver.disk import process
from dataver.errors import LocalIOError
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
            try:
                answer = process.run(argv, stdin=signed, timeout_s=_TIMEOUT_S)
            except LocalIOError as error:
                raise LocalIOError(
                    "ssh-keygen", error.why, hint="install the OpenSSH client: erasure records are signed"
                ) from error
        # Both: a status can be lost where somebody else waits for our children.
        return answer.status == 0 and answer.stdout.startswith(f'Good "{NAMESPACE}" signature'.encode())
