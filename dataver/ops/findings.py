"""What `doctor` collects: one finding for each thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataver.errors import DataverError, Failure
from dataver.model.guarding import Finding

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(slots=True)
class Findings:
    """Findings in the order in which they were made, and the failures among them."""

    rows: list[Finding] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def ok(self, topic: str, message: str) -> None:
        self.rows.append(Finding(topic, OK, message))

    def warn(self, topic: str, message: str, hint: str = "") -> None:
        self.rows.append(Finding(topic, WARNING, message, hint))

    def mended(self, topic: str, message: str) -> None:
        self.rows.append(Finding(topic, WARNING, message, is_mended=True))

    def problem(self, topic: str, error: DataverError, path: bytes = b"") -> None:
        """Note a problem; its error says how this run ends."""
        self.rows.append(Finding(topic, PROBLEM, error.message, error.hint))
        self.failed.append(error.failure(path))
