"""What a command spends on a remote: requests and bytes from the first one on, the opening included."""

from __future__ import annotations

from dataver.repo import Repo


class Meter:
    """Counts from when it is made, also for a remote that is opened only later."""

    def __init__(self, repo: Repo, name: str) -> None:
        self._repo, self._name = repo, name
        self._began = self._counted()

    def _counted(self) -> tuple[int, int, int]:
        remote = self._repo.opened_remote(self._name)
        if remote is None:
            return 0, 0, 0
        return remote.bucket.requests, remote.bucket.sent, remote.bucket.received

    @property
    def requests(self) -> int:
        """Return the requests so far; a listing counts once per page."""
        return self._counted()[0] - self._began[0]

    @property
    def sent(self) -> int:
        """Return the bytes sent so far."""
        return self._counted()[1] - self._began[1]

    @property
    def received(self) -> int:
        """Return the bytes received so far."""
        return self._counted()[2] - self._began[2]
