"""Every tenth connection breaks in the middle: a push and a pull of many small files send little again."""

from __future__ import annotations

import pytest

import dataver
from tests.e2e.network.matrix import FOR_EVER, PACK
from tests.e2e.network.team import Team, contents, done, inside, record
from tests.e2e.project import Project, blob
from tests.servers.chaos import Chaos
from tests.servers.faults import CutAnswer, CutRequest, Rule

_LOST = 0.1
_MOST = 1.15
"""Of the bytes that have to go."""
_OTHERS = "/(journal|segments|leases|keys|repos|clients|dataver.toml)"


def _break_connections(proxy: Chaos, pack_size: int) -> None:
    """Break every tenth connection; those that carry packs in the middle."""
    proxy.fail(
        Rule(CutRequest(pack_size // 2), "PUT", PACK, times=FOR_EVER, chance=_LOST),
        Rule(CutAnswer(pack_size // 2), "GET", PACK, times=FOR_EVER, chance=_LOST),
        Rule(CutRequest(0), "PUT|HEAD|POST", _OTHERS, times=FOR_EVER, chance=_LOST),
        Rule(CutAnswer(0), "GET", _OTHERS, times=FOR_EVER, chance=_LOST),
    )


def _small_packs(patch: pytest.MonkeyPatch, size: int) -> int:
    """Let packs be so small that there are many of them, and chance evens out; return their size."""
    patch.setattr("dataver.formats.pack.TARGET_SIZE", size)
    # What the cache has in one pack is sent in small ones as well.
    patch.setattr("dataver.transfer.outgoing.WHOLE_FROM", 1 << 40)
    return size


def _move(team: Team, proxy: Chaos, files: int, size: int, pack_size: int) -> None:
    """Push and pull *files* files of *size* bytes in packs of about *pack_size*."""
    author = team.clone("author")
    per_folder = 500
    for number in range(files):
        path = author.root / "data" / "many" / str(number // per_folder) / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob(number, size))
    record(author, "many")
    before = team.stored_bytes("packs/")
    proxy.forget()
    _break_connections(proxy, pack_size)

    pushed = inside(author.root, dataver.push)

    assert pushed.exit == 0, pushed
    assert proxy.failed
    assert proxy.sent <= _MOST * (team.stored_bytes("packs/") - before + team.stored_bytes("segments/"))
    proxy.heal()
    needed = _received(_cloned(team, author, "undisturbed"), proxy)
    _break_connections(proxy, pack_size)
    fresh = _cloned(team, author, "disturbed")

    received = _received(fresh, proxy)

    assert proxy.failed
    assert received <= _MOST * needed
    assert contents(fresh.root) == contents(author.root)
    proxy.heal()
    done(author, lambda repo: dataver.verify(repo, remote=True))


def _cloned(team: Team, author: Project, name: str) -> Project:
    """Clone without data."""
    author.git("clone", "-q", "--template=", str(author.root), str(team.top / name))
    return Project(team.top / name, team.env)


def _received(clone: Project, proxy: Chaos) -> int:
    """Pull everything, and give the bytes that came."""
    proxy.forget()
    done(clone, dataver.pull)
    return proxy.received


def test_two_thousand_files_go_both_ways_with_little_sent_twice(
    team: Team, proxy: Chaos, monkeypatch: pytest.MonkeyPatch
) -> None:
    _move(team, proxy, 2_000, 10_000, _small_packs(monkeypatch, 1 << 18))


@pytest.mark.scale
def test_a_hundred_thousand_files_go_both_ways_with_little_sent_twice(
    team: Team, proxy: Chaos, monkeypatch: pytest.MonkeyPatch
) -> None:
    _move(team, proxy, 100_000, 4_000, _small_packs(monkeypatch, 4 << 20))
