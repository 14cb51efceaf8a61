"""A person's files leave every version: nowhere is anything of them, and everything else is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.erasure.bench import (
    FOLDER,
    MARKER,
    PERSON,
    Case,
    other_files,
    pointers_of,
    s3_store,
    said,
    survivors,
)
from tests.e2e.erasure.conftest import with_keys


def test_before_it_is_erased_the_person_is_found_in_many_places(folder_case: Case) -> None:
    """Else the tests below would show nothing."""
    found = "\n".join(folder_case.found())

    assert "name" in found
    assert "content" in found
    assert "oid" in found


def test_the_person_is_nowhere_and_all_else_is_as_it_was(case: Case) -> None:
    project = case.project
    pointers, head = pointers_of(project), project.git("rev-parse", "HEAD")

    erasure = case.erase()

    assert case.found() == []
    assert project.git("rev-parse", "HEAD") == head
    assert pointers_of(project) == pointers
    for version in (1, 2, 3):
        assert survivors(project, f"v{version}") == other_files(version)
    project.run("verify")
    project.run("verify", "--remote")
    assert project.ask("purge", "verify", erasure)["remotes"][0]["state"] == "ABSENT"


def test_a_fresh_clone_restores_every_version_without_the_person(case: Case) -> None:
    case.erase()
    clone = case.mate("fresh")

    for version in (1, 2, 3):
        clone.git("checkout", "-q", f"v{version}")
        clone.run("pull")
        assert survivors(clone, f"v{version}") == other_files(version)
    assert case.found(case.project, clone) == []


def test_a_flipped_byte_in_what_stays_is_noticed(folder_case: Case) -> None:
    folder_case.erase()
    pack = next(
        path
        for path in sorted(Path(folder_case.store.url, "packs").rglob("*"))
        if path.is_file() and b"of somebody else" in path.read_bytes()
    )
    data = bytearray(pack.read_bytes())
    data[data.index(b"of somebody else")] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)

    result = folder_case.project.run("verify", "--remote", expect=3)

    assert "corrupt" in said(result)


def test_a_run_again_changes_nothing(case: Case) -> None:
    erasure = case.erase()
    before = sorted(path.name for path in case.store.dumped(case.tmp / "before").rglob("pack*"))

    case.project.run("purge", "resume", erasure)

    assert case.found() == []
    assert sorted(path.name for path in case.store.dumped(case.tmp / "after").rglob("pack*")) == before


def test_a_plan_says_what_it_would_take_and_changes_nothing(folder_case: Case) -> None:
    before = folder_case.found()

    plan = folder_case.plan()["data"]

    assert {file["path"] for file in plan["files"]} == {
        f"{FOLDER}/note.txt",
        f"{FOLDER}/photo.bin",
        f"{FOLDER}/film.bin",
    }
    assert plan["versions"] == 3
    assert plan["commits"] == 3
    assert plan["tags"] == ["v1", "v2", "v3"]
    # The plan itself is the one new place that names it.
    new = set(folder_case.found()) - set(before)
    assert all("/purge/" in place for place in new), new


def test_a_plan_does_not_fit_a_repository_that_went_on(folder_case: Case) -> None:
    plan = folder_case.plan()["data"]["plan"]
    folder_case.project.write({"data/new.txt": "new\n"})
    folder_case.project.record("data")

    result = folder_case.project.run("purge", "run", plan, expect=2)

    assert "dataver purge plan" in result.hint


def test_nothing_selected_is_an_error_that_names_it(folder_case: Case) -> None:
    result = folder_case.project.run("purge", "plan", "--path", "data/nobody/**", expect=2)

    assert result.code == "no-such-path"


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended"])
def test_every_version_marker_and_upload_of_what_held_it_is_gone(
    moto_server: Any, s3: Any, tmp_path: Path, versioning: str
) -> None:
    store = s3_store(moto_server, s3)
    neighbour = {"Bucket": store.bucket, "Key": "store2/packs/aa/neighbour", "Body": b"a neighbour's"}
    s3.put_object(**neighbour)
    s3.put_object(**{**neighbour, "Body": b"a neighbour's, newer"})
    case = with_keys(moto_server, tmp_path, store)
    held = [one["Key"] for one in store.versions() if "/packs/" in one["Key"] and "store2" not in one["Key"]]
    if versioning == "Suspended":
        s3.put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration={"Status": versioning})
        body = s3.get_object(Bucket=store.bucket, Key=held[0])["Body"].read()
        s3.put_object(Bucket=store.bucket, Key=held[0], Body=body)  # the version `null`
    body = s3.get_object(Bucket=store.bucket, Key=held[-1])["Body"].read()
    s3.delete_object(Bucket=store.bucket, Key=held[-1])  # a delete marker among the versions
    s3.put_object(Bucket=store.bucket, Key=held[-1], Body=body)
    upload = s3.create_multipart_upload(Bucket=store.bucket, Key=held[0])
    s3.upload_part(
        Bucket=store.bucket,
        Key=held[0],
        UploadId=upload["UploadId"],
        PartNumber=1,
        Body=MARKER,
    )

    case.erase()

    left = store.versions()
    assert not [one for one in left if one["Key"] in held]
    assert store.uploads() == []
    assert len([one for one in left if one["Key"] == neighbour["Key"]]) == 2
    assert case.found() == []
    assert PERSON not in str(left)
