"""Object lock, retentions and legal holds of S3 are found on every version before anything is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dataver.erasure.eraser import Stored, erase_keys, remaining
from tests.erasure.places import PREFIX, S3Place
from tests.servers.chaos import chaos
from tests.servers.faults import Rule, s3_error
from tests.servers.server import Server

KEY, ALIKE = "packs/ab/abc", "packs/ab/abcd"
DENIED = s3_error(403, "AccessDenied")


@pytest.fixture
def locked(moto_server: Server) -> S3Place:
    """Return a bucket with object lock, in which a key was written twice."""
    place = S3Place(moto_server, keeps_versions=True, has_locks=True)
    place.put(f"{PREFIX}/{KEY}", b"first")
    place.put(f"{PREFIX}/{KEY}", b"second")
    return place


def _old_version(place: S3Place) -> Stored:
    return next(one for one in place.eraser.versions("packs/") if not one.is_current)


# moto answers 500, after the client's third try.
NO_RETENTION = Rule(s3_error(404, "NoSuchObjectLockConfiguration"), path=r"\?.*retention", times=None)


def test_a_default_retention_is_an_obstacle_and_nothing_is_tried_under_it(moto_server: Server) -> None:
    place = S3Place(moto_server, keeps_versions=True, has_locks=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}
    place.client.put_object_lock_configuration(
        Bucket=place.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )

    facts = place.eraser.examine()

    assert [(o.code, "30 days" in o.message) for o in facts.obstacles] == [("object-lock", True)]
    assert place.raw() == []


def test_a_legal_hold_on_an_old_version_is_found(locked: S3Place, moto_server: Server) -> None:
    old = _old_version(locked)
    locked.client.put_object_legal_hold(
        Bucket=locked.bucket, Key=f"{PREFIX}/{KEY}", VersionId=old.version, LegalHold={"Status": "ON"}
    )
    with chaos(moto_server.endpoint) as proxy:
        proxy.fail(NO_RETENTION)
        eraser = locked.eraser_at(moto_server.through(proxy.url))

        holds, others = eraser.holds([KEY]), eraser.holds([ALIKE])

    assert [(hold.code, old.version in hold.message) for hold in holds] == [("hold", True)]
    assert others == []


def test_a_held_version_stays_and_is_told_of(locked: S3Place) -> None:
    old = _old_version(locked)
    locked.client.put_object_legal_hold(
        Bucket=locked.bucket, Key=f"{PREFIX}/{KEY}", VersionId=old.version, LegalHold={"Status": "ON"}
    )

    failures = erase_keys(locked.eraser, [KEY], lambda: None)

    assert [failure.code for failure in failures] == ["access-denied"]
    assert "object lock" in failures[0].message
    assert list(remaining(locked.eraser, [KEY])) == [old._replace(is_current=True)]


def test_a_retention_counts_until_it_is_over(locked: S3Place, moto_server: Server) -> None:
    old = _old_version(locked)
    until = datetime.now(UTC) + timedelta(days=2)
    for stored in locked.eraser.versions("packs/"):
        when = until if stored == old else datetime.now(UTC) - timedelta(days=2)
        locked.client.put_object_retention(
            Bucket=locked.bucket,
            Key=f"{PREFIX}/{KEY}",
            VersionId=stored.version,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": when},
        )

    with chaos(moto_server.endpoint) as proxy:
        proxy.fail(NO_RETENTION)
        holds = locked.eraser_at(moto_server.through(proxy.url)).holds([KEY])

    assert [(hold.code, f"{until:%Y-%m-%d}" in hold.message) for hold in holds] == [("object-lock", True)]


@pytest.mark.parametrize(
    ("right", "path"),
    [("s3:GetObjectLegalHold", r"\?.*legal-hold"), ("s3:ListBucketVersions", r"\?versions")],
)
def test_holds_that_may_not_be_read_are_an_obstacle_that_is_said_once(
    locked: S3Place, moto_server: Server, right: str, path: str
) -> None:
    with chaos(moto_server.endpoint) as proxy:
        proxy.fail(NO_RETENTION, Rule(DENIED, path=path, times=None))
        eraser = locked.eraser_at(moto_server.through(proxy.url))

        holds = eraser.holds([KEY])

    assert [(hold.code, right in hold.message) for hold in holds] == [("access-denied", True)]
