"""What a run of the machine came to: a rule that finds nothing to do shows nothing, however often it runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_LEAST_SHARE = 0.5
_FEW = 8
"""Runs of which a share says nothing."""

_OFTEN_REFUSED = frozenset(("gc --remote",))
"""What refuses, and rightly, in many a state that the machine makes: clocks that differ, writers at work."""

RULES = (
    *("write", "edit in place", "touch back the time", "remove", "rename", "add", "commit", "amend"),
    *("switch", "status", "checkout", "push", "fetch", "pull", "gc", "gc --pushed", "gc --remote"),
    *("drop the cache", "spoil an object", "spoil the index", "spoil the remote", "repair the remote"),
    *("clock jumps", "colleague clones", "colleague goes on"),
)
"""What has to happen in every run of a machine."""


@dataclass(slots=True)
class Tally:
    """Counts over all examples of one machine."""

    ran: Counter[str] = field(default_factory=Counter)
    """Rule -> how often it ran."""
    worked: Counter[str] = field(default_factory=Counter)
    """Rule -> how often there was something to do for it."""
    struck: Counter[str] = field(default_factory=Counter)
    """Kind of a fault -> how often it happened within a command, and did not come too late."""
    crashed: Counter[str] = field(default_factory=Counter)
    """Command -> how often it was ended in the middle."""
    examples: int = 0
    restored: int = 0
    """Examples at whose end a fresh clone had to restore what was pushed, and did."""
    versions: int = 0
    """Pushed versions that fresh clones restored, at the end and before."""
    mended: int = 0
    """Damaged remotes of which everything could be restored again after a repair."""

    def note(self, rule: str, *, worked: bool) -> None:
        """Count that *rule* ran, and whether it found anything to do."""
        self.ran[rule] += 1
        self.worked[rule] += worked

    def idle(self) -> list[str]:
        """Return the rules that most of the time had nothing to do."""
        return sorted(
            rule
            for rule, ran in self.ran.items()
            if ran >= _FEW and self.worked[rule] < ran * _LEAST_SHARE and rule not in _OFTEN_REFUSED
        )

    def rare(self, least: int) -> list[str]:
        """Return which of the rules had something to do less than *least* times."""
        return sorted(rule for rule in RULES if self.worked[rule] < least)

    def check(self, *, examples: int, least: int, spared: int = 0) -> None:
        """Check that the run showed something: each rule *least* times, and few that found nothing to do.

        *spared* rules may have happened less often: a short run need not come to each of them.
        """
        assert self.examples >= examples, self.shown()
        assert self.restored >= self.examples // 2, self.shown()
        assert not self.idle(), self.shown()
        assert len(self.rare(least)) <= spared, self.shown()
        assert sum(self.crashed.values()) >= self.examples // 10, self.shown()

    def shown(self) -> str:
        """Return it all as lines of text."""
        rules = [f"{rule}: {self.worked[rule]} of {ran}" for rule, ran in sorted(self.ran.items())]
        faults = [f"{kind}: {count}" for kind, count in sorted(self.struck.items())]
        crashes = [f"{verb}: {count}" for verb, count in sorted(self.crashed.items())]
        end = f"{self.restored} of {self.examples} examples restored, {self.versions} versions"
        return "\n".join([*rules, "faults", *faults, "crashes", *crashes, f"{end}, {self.mended} mended"])
