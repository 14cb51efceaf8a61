"""One contract for every storage: what is to be erased goes with all its versions, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.erasure.eraser import Eraser, Stored, Upload, erase_keys, remaining
from dataver.erasure.erasers import open_eraser
from dataver.errors import BucketNotFoundError, Failure
from dataver.store.bucket import KeyMissingError
from tests.erasure.places import (
    KINDS,
    NO_BUCKET,
    PREFIX,
    FakeGcsPlace,
    FolderPlace,
    GooglePlace,
    Kind,
    Place,
    S3Place,
)

KEY, ALIKE = "packs/ab/abc", "packs/ab/abcd"
FIRST, SECOND = b"first version", b"second"
OUTSIDE = (f"{PREFIX}2/{KEY}", f"other/{KEY}")


@pytest.fixture(params=[pytest.param(kind, id=name, marks=kind.marks) for name, kind in KINDS.items()])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return each storage in turn."""
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def place(kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Return a storage that holds a key twice written, one deleted as usual, and neighbours of both kinds."""
    with kind.made(request, tmp_path) as made:
        for path in (f"{PREFIX}/{KEY}", f"{PREFIX}/{ALIKE}", f"{PREFIX}/packs/ab2/abc", *OUTSIDE):
            made.put(path, FIRST)
            # moto forgets all versions at a write in a bucket whose versioning is suspended.
            made.put(path, SECOND)
        made.put(f"{PREFIX}/segments/1", b"hidden")
        made.hide(f"{PREFIX}/segments/1")
        if kind.versioning == "suspended":
            made.versioning("Suspended")  # type: ignore[attr-defined]
        yield made


def _erased(place: Place, *keys: str) -> list[Failure]:
    return erase_keys(place.eraser, keys, lambda: None)


def _without(raw: Sequence[tuple[str, bytes]], *paths: str) -> list[tuple[str, bytes]]:
    return [one for one in raw if one[0] not in paths]


def test_a_key_goes_with_all_its_versions_and_nothing_else_does(place: Place) -> None:
    before = place.raw()

    failures = _erased(place, KEY)

    assert failures == []
    assert place.raw() == _without(before, f"{PREFIX}/{KEY}")


def test_a_key_that_was_deleted_as_usual_goes_with_what_hid_it(kind: Kind, place: Place) -> None:
    if kind.forgets:
        pytest.skip("moto fails at delete markers while versioning is suspended")
    before = place.raw()

    failures = _erased(place, "segments/1")

    assert failures == []
    assert place.raw() == _without(before, f"{PREFIX}/segments/1")


def test_the_versions_below_a_prefix_are_those_and_no_others(place: Place) -> None:
    found = [one.key for one in place.eraser.versions("packs/ab/")]

    copies = sum(path == f"{PREFIX}/{KEY}" for path, _ in place.raw())
    assert sorted(found) == [KEY] * copies + [ALIKE] * copies


def test_nothing_beside_the_remote_is_ever_listed(place: Place) -> None:
    found = {one.key for one in place.eraser.versions("")}

    hidden = {"segments/1"} if place.keeps_versions else set()
    assert found == {KEY, ALIKE, "packs/ab2/abc"} | hidden


def test_one_version_of_each_key_is_the_current_one(place: Place) -> None:
    found = [one for one in place.eraser.versions("packs/") if one.is_current]

    assert sorted(one.key for one in found) == [KEY, ALIKE, "packs/ab2/abc"]
    assert {one.size for one in found} == {len(SECOND)}
    assert all(one.modified_s > 0 for one in found)


def test_every_version_can_be_read_by_its_own_name_until_it_is_erased(place: Place) -> None:
    recorded = [one for one in place.eraser.versions("packs/ab/") if one.key == KEY]

    contents = {place.eraser.read(one) for one in recorded}
    readable = [place.eraser.is_readable(one) for one in recorded]
    _erased(place, KEY)

    assert SECOND in contents
    assert all(readable)
    assert (FIRST in contents) == place.keeps_versions
    assert not any(place.eraser.is_readable(one) for one in recorded)
    with pytest.raises(KeyMissingError):
        place.eraser.read(recorded[0])


def test_erasing_again_changes_nothing(place: Place) -> None:
    gone = list(remaining(place.eraser, [KEY]))
    _erased(place, KEY)
    before = place.raw()

    failures = [*place.eraser.erase(gone), *_erased(place, KEY)]

    assert failures == []
    assert place.raw() == before


def test_a_look_before_the_first_change_finds_the_versioning_and_leaves_nothing(
    kind: Kind, place: Place
) -> None:
    before = place.raw()

    facts = place.eraser.examine()

    assert (facts.versioning, facts.obstacles, facts.kind) == (kind.versioning, (), place.eraser.kind)
    assert place.raw() == before


def test_nothing_holds_what_nobody_holds(place: Place) -> None:
    assert place.eraser.holds([KEY, ALIKE]) == []


def test_nothing_is_left_of_unfinished_uploads_where_there_are_none(place: Place) -> None:
    assert [*place.eraser.uploads(""), *place.eraser.soft_deleted("")] == []


def test_many_keys_in_many_folders_go_at_once(place: Place) -> None:
    keys = [f"packs/{number % 3}/{number}" for number in range(7)]
    before = place.raw()
    for key in keys:
        place.put(f"{PREFIX}/{key}", b"x")

    failures = _erased(place, *keys)

    assert failures == []
    assert place.raw() == before


class PlainDelete:
    """An eraser that deletes as everybody does: by the name."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.versions, self.uploads = place.eraser.versions, place.eraser.uploads

    def erase(self, items: Sequence[Stored | Upload]) -> list[Failure]:
        for key in {item.key for item in items}:
            self._place.hide(f"{PREFIX}/{key}")
        return []


def test_an_eraser_that_only_deletes_by_the_name_is_found_out(kind: Kind, place: Place) -> None:
    if kind.forgets or not place.keeps_versions:
        pytest.skip("where no versions are kept that is enough")
    mutant: Eraser = PlainDelete(place)  # type: ignore[assignment]

    failures = erase_keys(mutant, [KEY], lambda: None)

    assert [failure.message for failure in failures] == [f"{KEY} is still listed after it was deleted"]
    assert list(remaining(place.eraser, [KEY]))


def test_what_is_not_there_is_said_to_be_missing_and_never_to_be_empty(
    place: Place, request: pytest.FixtureRequest
) -> None:
    if place.eraser.kind == "memory":
        pytest.skip("a process's memory is always there")
    gone = request.getfixturevalue("elsewhere")

    with pytest.raises(BucketNotFoundError):
        gone.examine()
    with pytest.raises(BucketNotFoundError):
        list(gone.versions(""))


@pytest.fixture
def elsewhere(place: Place) -> Eraser:
    """Return an eraser for a place of the same kind that was never made."""
    if isinstance(place, FolderPlace):
        return open_eraser(f"{place.folder}/never-made", {}, NO_BUCKET, Disk())
    if isinstance(place, S3Place):
        return open_eraser("s3://never-made/prefix", place.server.options, NO_BUCKET, Disk())
    assert isinstance(place, GooglePlace | FakeGcsPlace)
    endpoint = place.server.endpoint
    return open_eraser("gs://never-made/prefix", {"endpoint_url": endpoint, "anon": True}, NO_BUCKET, Disk())
