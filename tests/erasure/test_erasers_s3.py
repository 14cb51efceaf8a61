"""What is in the way of erasing on S3 is found before anything changes; a refusal is never "nothing"."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from dataver.disk.disk import Disk
from dataver.erasure import s3
from dataver.erasure.eraser import Eraser, erase_keys
from dataver.erasure.erasers import open_eraser
from dataver.errors import AccessDeniedError, NoCredentialsError, OfflineError
from tests.erasure.places import NO_BUCKET, PREFIX, S3Place
from tests.servers.chaos import Chaos, chaos
from tests.servers.faults import UNAVAILABLE, Answer, Rule, s3_error
from tests.servers.server import Server

KEY, ALIKE = "packs/ab/abc", "packs/ab/abcd"
DENIED = s3_error(403, "AccessDenied")
NOT_OFFERED = s3_error(501, "NotImplemented")


class Behind(NamedTuple):
    """A versioned bucket, and an eraser that reaches it through a proxy."""

    place: S3Place
    eraser: Eraser
    proxy: Chaos


@pytest.fixture(scope="module")
def shared(moto_server: Server) -> Iterator[Behind]:
    """Return the bucket; one for all tests, since a client takes long to make."""
    place = S3Place(moto_server, keeps_versions=True)
    place.versioning("Enabled")
    with chaos(moto_server.endpoint) as proxy:
        yield Behind(place, place.eraser_at(moto_server.through(proxy.url)), proxy)


@pytest.fixture
def behind(shared: Behind) -> Iterator[Behind]:
    """Return the bucket, in which one key was written twice and nothing else lies; the proxy has no rules."""
    shared.place.put(f"{PREFIX}/{KEY}", b"first")
    shared.place.put(f"{PREFIX}/{KEY}", b"second")
    shared.proxy.forget()
    yield shared
    shared.proxy.heal()
    shared.place.clear()


# -- rights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "method", "path"),
    [
        ("s3:ListBucketVersions", "GET", r"\?versions"),
        ("s3:ListBucketMultipartUploads", "GET", r"\?uploads"),
        ("s3:GetBucketVersioning", "GET", r"\?versioning"),
        ("s3:GetBucketObjectLockConfiguration", "GET", r"\?object-lock"),
        ("s3:DeleteObjectVersion", "DELETE", r"versionId="),
        ("s3:AbortMultipartUpload", "DELETE", r"uploadId="),
        ("s3:PutObject", "PUT", r"leases/"),
    ],
)
def test_a_right_that_is_lacking_is_an_obstacle_that_names_it(
    behind: Behind, right: str, method: str, path: str
) -> None:
    before = behind.place.raw()
    behind.proxy.fail(Rule(DENIED, method=method, path=path, times=None))

    facts = behind.eraser.examine()

    assert [(o.code, right in o.message, right in o.hint) for o in facts.obstacles] == [
        ("access-denied", True, True)
    ]
    assert behind.place.raw() == before


def test_who_may_not_delete_versions_is_not_made_to_write_first(behind: Behind) -> None:
    behind.proxy.fail(Rule(DENIED, method="DELETE", times=None))

    behind.eraser.examine()

    assert behind.proxy.count("PUT") == 0


def test_versions_that_may_not_be_listed_are_never_none(behind: Behind) -> None:
    behind.proxy.fail(Rule(DENIED, path=r"\?versions", times=None))

    with pytest.raises(AccessDeniedError) as caught:
        erase_keys(behind.eraser, [KEY], lambda: None)

    assert "s3:ListBucketVersions" in caught.value.message
    assert len(behind.place.raw()) == 2


def test_uploads_that_may_not_be_listed_are_never_none(behind: Behind) -> None:
    behind.proxy.fail(Rule(DENIED, path=r"\?uploads", times=None))

    with pytest.raises(AccessDeniedError):
        list(behind.eraser.uploads(""))


def test_a_version_that_may_not_be_read_is_never_absent(behind: Behind) -> None:
    stored = next(iter(behind.eraser.versions("packs/")))
    behind.proxy.fail(Rule(DENIED, path="versionId=", times=None))

    with pytest.raises(AccessDeniedError):
        behind.eraser.is_readable(stored)


def test_a_refused_deletion_is_a_failure_for_each_version(behind: Behind) -> None:
    behind.proxy.fail(Rule(DENIED, method="POST|DELETE", times=None))

    failures = behind.eraser.erase(list(behind.eraser.versions("packs/")))

    assert [(f.code, "s3:DeleteObjectVersion" in f.message) for f in failures] == [
        ("access-denied", True)
    ] * 2
    assert len(behind.place.raw()) == 2


def test_replication_is_noted_and_not_in_the_way(behind: Behind) -> None:
    rules = "<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Destination>"
    rules += "<Bucket>arn:aws:s3:::the-copy</Bucket></Destination></Rule></ReplicationConfiguration>"
    behind.proxy.fail(Rule(Answer(200, rules.encode()), path=r"\?replication", times=None))

    facts = behind.eraser.examine()

    assert facts.obstacles == ()
    assert facts.notes == ("replicated to the-copy: deleted versions stay there, erase them too",)


def test_a_replication_that_may_not_be_read_is_noted(behind: Behind) -> None:
    behind.proxy.fail(Rule(DENIED, path=r"\?replication", times=None))

    facts = behind.eraser.examine()

    assert facts.obstacles == ()
    assert "s3:GetReplicationConfiguration" in facts.notes[0]


def test_deletion_by_a_device_only_is_an_obstacle(behind: Behind) -> None:
    said = b"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"
    behind.proxy.fail(
        Rule(Answer(200, said + b"</VersioningConfiguration>"), path=r"\?versioning", times=None)
    )

    facts = behind.eraser.examine()

    assert [(o.code, "MFA" in o.message) for o in facts.obstacles] == [("access-denied", True)]


# -- stores and networks that do less -------------------------------------------------------------


def test_a_store_that_cannot_list_versions_is_unverifiable_and_still_erased(rclone_server: Server) -> None:
    url = f"{rclone_server.fresh_bucket()}/{PREFIX}"
    name = url.removeprefix("s3://").partition("/")[0]
    place = S3Place(rclone_server, keeps_versions=False)
    for key in (KEY, ALIKE):
        place.client.put_object(Bucket=name, Key=f"{PREFIX}/{key}", Body=b"x")
    eraser = open_eraser(url, rclone_server.options, NO_BUCKET, Disk())

    facts = eraser.examine()
    failures = erase_keys(eraser, [KEY], lambda: None)

    assert {o.code for o in facts.obstacles} == {"unverifiable"}
    assert failures == []
    assert [one.key for one in eraser.versions("packs/")] == [ALIKE]


def test_a_store_without_locks_and_replication_has_none(behind: Behind) -> None:
    behind.proxy.fail(Rule(NOT_OFFERED, path=r"\?(object-lock|replication)", times=None))

    facts = behind.eraser.examine()

    assert (facts.obstacles, facts.notes) == ((), ())
    assert behind.eraser.holds([KEY]) == []


@pytest.mark.parametrize("refusal", [NOT_OFFERED, s3_error(400, "MissingContentMD5"), DENIED])
def test_a_store_that_deletes_only_one_at_a_time_is_asked_so(behind: Behind, refusal: Answer) -> None:
    behind.proxy.fail(Rule(refusal, method="POST", path=r"\?delete", times=None))

    failures = erase_keys(behind.eraser, [KEY], lambda: None)

    assert failures == []
    assert behind.place.raw() == []


def test_a_store_that_is_down_is_offline_and_nothing_is_concluded(behind: Behind) -> None:
    behind.proxy.fail(Rule(UNAVAILABLE, times=None))

    with pytest.raises(OfflineError):
        erase_keys(behind.eraser, [KEY], lambda: None)


def test_one_answer_that_is_lost_is_asked_for_again(behind: Behind) -> None:
    behind.proxy.fail(Rule(UNAVAILABLE, times=1))

    failures = erase_keys(behind.eraser, [KEY], lambda: None)

    assert failures == []
    assert behind.place.raw() == []


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(NoCredentialsError):
        open_eraser("s3://bucket/prefix", {}, NO_BUCKET, Disk()).examine()


def test_googles_own_s3_interface_is_not_trusted(behind: Behind, moto_server: Server) -> None:
    from dataver.erasure.s3_examining import examine

    eraser = behind.place.eraser_at(moto_server)
    assert isinstance(eraser, s3.S3Eraser)
    eraser.client.endpoint_url = "https://storage.googleapis.com"

    assert [o.code for o in examine(eraser.client).obstacles] == ["unverifiable"]


# -- versions and uploads -------------------------------------------------------------------------


def test_more_versions_than_one_request_deletes_all_go(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_AT_ONCE", 2)
    for number in range(4):
        behind.place.put(f"{PREFIX}/{KEY}", b"%d" % number)

    failures = erase_keys(behind.eraser, [KEY], lambda: None)

    assert failures == []
    assert (behind.place.raw(), behind.proxy.count("POST", r"\?delete")) == ([], 3)


def test_one_listing_tells_of_all_keys_of_a_folder(behind: Behind) -> None:
    for number in range(5):
        behind.place.put(f"{PREFIX}/packs/ab/{number}", b"x")

    erase_keys(behind.eraser, [KEY, *(f"packs/ab/{number}" for number in range(5))], lambda: None)

    # Before and after: a listing of versions and one of uploads each, and one deletion.
    assert behind.proxy.count() == 5


def test_an_unfinished_upload_is_ended_and_its_neighbours_are_not(behind: Behind) -> None:
    for key in (KEY, ALIKE):
        behind.place.open_upload(f"{PREFIX}/{key}", b"part")
    behind.place.open_upload(f"{PREFIX}2/{KEY}", b"part")

    found = [upload.key for upload in behind.eraser.uploads("")]
    failures = erase_keys(behind.eraser, [KEY], lambda: None)

    assert sorted(found) == [KEY, ALIKE]
    assert failures == []
    assert behind.place.open_uploads() == [f"{PREFIX}/{ALIKE}", f"{PREFIX}2/{KEY}"]


def test_an_upload_that_may_not_be_ended_is_a_failure(behind: Behind) -> None:
    behind.place.open_upload(f"{PREFIX}/{KEY}", b"part")
    behind.proxy.fail(Rule(DENIED, method="DELETE", path="uploadId=", times=None))

    failures = erase_keys(behind.eraser, [KEY], lambda: None)

    assert [(f.code, "s3:AbortMultipartUpload" in f.message) for f in failures] == [("access-denied", True)]
