"""Erasing on Google Cloud Storage: soft delete is told of, holds and lacking rights are obstacles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dataver.disk.disk import Disk
from dataver.erasure.eraser import Eraser, erase_keys
from dataver.erasure.erasers import open_eraser
from dataver.errors import AccessDeniedError, OfflineError
from tests.erasure.google import Google, google
from tests.erasure.places import NO_BUCKET, PREFIX
from tests.servers.chaos import chaos
from tests.servers.faults import Rule, plain_error

KEY, ALIKE = "packs/ab/abc", "packs/ab/abcd"


@pytest.fixture
def server() -> Iterator[Google]:
    """Return a versioned bucket in which a key was written twice, and one that begins alike."""
    with google() as made:
        made.bucket["versioning"] = {"enabled": True}
        for path in (KEY, KEY, ALIKE):
            made.put(f"{PREFIX}/{path}", b"content")
        yield made


@pytest.fixture
def eraser(server: Google) -> Eraser:
    return _eraser_at(server.endpoint)


def _eraser_at(endpoint: str) -> Eraser:
    options = {"endpoint_url": endpoint, "anon": True}
    return open_eraser(f"gs://bucket/{PREFIX}", options, NO_BUCKET, Disk())


def test_what_soft_delete_keeps_is_told_after_it_was_erased(server: Google, eraser: Eraser) -> None:
    server.bucket["softDeletePolicy"] = {"retentionDurationSeconds": "604800"}

    facts = eraser.examine()
    failures = erase_keys(eraser, [KEY], lambda: None)

    assert (facts.obstacles, facts.soft_delete_s) == ((), 604800)
    assert failures == []
    assert [one.key for one in eraser.soft_deleted("packs/ab/")] == [KEY, KEY]
    assert [one.key for one in eraser.versions("packs/ab/")] == [ALIKE]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"retentionPolicy": {"retentionPeriod": "86400"}}, "retention"),
        ({"defaultEventBasedHold": True}, "hold"),
    ],
)
def test_a_bucket_that_keeps_whatever_is_written_is_an_obstacle(
    server: Google, eraser: Eraser, said: dict[str, object], code: str
) -> None:
    server.bucket.update(said)

    assert [o.code for o in eraser.examine().obstacles] == [code]


def test_a_right_that_is_lacking_is_an_obstacle_that_names_it(server: Google, eraser: Eraser) -> None:
    server.permissions = ("storage.objects.create", "storage.objects.get", "storage.objects.list")

    obstacles = eraser.examine().obstacles

    assert [(o.code, "storage.objects.delete" in o.message) for o in obstacles] == [("access-denied", True)]


def test_holds_and_retentions_of_any_generation_are_found(server: Google, eraser: Eraser) -> None:
    old, new, alike = server.generations
    old.facts["temporaryHold"] = True
    new.facts["retentionExpirationTime"] = "2999-01-01T00:00:00Z"
    alike.facts["retention"] = {"mode": "Unlocked", "retainUntilTime": "2001-01-01T00:00:00.5Z"}

    holds = eraser.holds([KEY, ALIKE])

    assert sorted((hold.code, str(old.number) in hold.message) for hold in holds) == [
        ("hold", True),
        ("retention", False),
    ]


def test_a_held_generation_stays_and_is_told_of(server: Google, eraser: Eraser) -> None:
    server.generations[0].facts["temporaryHold"] = True

    failures = erase_keys(eraser, [KEY], lambda: None)

    assert [(f.code, "Temporary hold" in f.message) for f in failures] == [("access-denied", True)]
    assert [g.number for g in server.generations if g.name.endswith(KEY)] == [server.generations[0].number]


def test_what_may_not_be_seen_is_never_nothing(server: Google) -> None:
    with chaos(server.endpoint) as proxy:
        eraser = _eraser_at(proxy.url)
        recorded = next(eraser.versions("packs/"))
        proxy.fail(Rule(plain_error(403), times=None))

        facts = eraser.examine()
        with pytest.raises(AccessDeniedError) as caught:
            list(eraser.versions(""))
        with pytest.raises(AccessDeniedError):
            eraser.is_readable(recorded)
        with pytest.raises(AccessDeniedError):
            list(eraser.soft_deleted(""))

    assert [(o.code, "storage.buckets.get" in o.message) for o in facts.obstacles] == [
        ("access-denied", True)
    ]
    assert "storage.objects.list" in caught.value.message


def test_one_answer_that_is_lost_is_asked_for_again_and_three_are_offline(
    server: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataver.erasure.gcs._WAITS_S", (0.0, 0.0))
    with chaos(server.endpoint) as proxy:
        eraser = _eraser_at(proxy.url)
        proxy.fail(Rule(plain_error(503), times=2))
        found = [one.key for one in eraser.versions("packs/")]
        proxy.fail(Rule(plain_error(503), times=3))
        with pytest.raises(OfflineError):
            list(eraser.versions("packs/"))

    assert found == [KEY, KEY, ALIKE]
