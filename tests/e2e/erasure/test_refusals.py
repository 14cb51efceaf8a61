"""What stands in the way refuses all of it before a change: shared content, holds, locks, rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.erasure.bench import FOLDER, Case, other_files, person_files, s3_store, said, survivors
from tests.e2e.erasure.conftest import with_keys
from tests.servers.chaos import Chaos
from tests.servers.faults import Rule, s3_error
from tests.servers.server import Server

SHARED = "data/users/u2/shared.bin"


def _share(case: Case) -> bytes:
    """Put a file of the person under another path too, committed and pushed."""
    content = person_files(3)[f"{FOLDER}/photo.bin"]
    case.project.write({SHARED: content})
    case.project.record("data", tag="v4", message="Share")
    case.project.run("push", "--all")
    return content


def _keys(case: Case) -> list[tuple[str, str, bool]]:
    return [(one["Key"], one["VersionId"], one["marker"]) for one in case.store.versions()]


def test_content_that_others_have_too_has_to_be_decided_about(folder_case: Case) -> None:
    _share(folder_case)

    document = folder_case.plan(expect=10)

    assert document["data"]["plan"] in ("", None)
    assert document["data"]["shared"][0]["other"] == SHARED
    assert "--shared" in document["failed"][0]["hint"]


def test_shared_content_can_be_erased_everywhere(case: Case) -> None:
    _share(case)

    case.erase("--shared=erase")

    assert case.found() == []
    assert survivors(case.project, "v4") == other_files(3)


def test_shared_content_can_be_left_where_it_was_not_selected(case: Case) -> None:
    content = _share(case)

    case.erase("--shared=unlink")

    left = {SHARED: content}
    assert survivors(case.project, "v4") == {**other_files(3), **left}
    assert survivors(case.project, "v2") == other_files(2)
    assert not [place for place in case.found() if "u1041" in place.rpartition(": ")[2]]
    clone = case.mate("fresh")
    assert clone.root.joinpath(SHARED).read_bytes() == content


def test_what_is_held_is_kept_not_delivered_and_not_erased_until_it_is_released(folder_case: Case) -> None:
    project = folder_case.project
    hold = project.ask("hold", "add", "--path", f"{FOLDER}/note.txt", "--ticket", "LAW-7")["changed"]
    clone = folder_case.project.clone("fresh")
    pulled = clone.run("pull")

    assert "held" in said(pulled)
    assert not (clone.root / f"{FOLDER}/note.txt").exists()
    assert (clone.root / f"{FOLDER}/photo.bin").exists()
    folder_case.plan(expect=11)
    project.run("hold", "release", hold)
    clone.run("pull")
    assert (clone.root / f"{FOLDER}/note.txt").exists()
    folder_case.erase()
    clone.run("pull")
    assert folder_case.found(project, clone) == []


def test_a_hold_after_the_plan_refuses_the_run(folder_case: Case) -> None:
    plan = folder_case.plan()["data"]["plan"]
    folder_case.project.run("hold", "add", "--path", f"{FOLDER}/note.txt")
    before = folder_case.found()

    result = folder_case.project.run("purge", "run", plan, expect=11)

    assert result.code == "held"
    assert folder_case.found() == before
    assert folder_case.project.ask("purge", "list")["erasures"] == []


def test_a_lock_in_the_bucket_refuses_before_anything_is_changed(
    moto_server: Server, s3: Any, tmp_path: Path
) -> None:
    store = s3_store(moto_server, s3, versioning="")
    bucket = f"{store.bucket}-locked"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    store.bucket, store.url = bucket, f"s3://{bucket}/store"
    case = with_keys(moto_server, tmp_path, store)
    pack = next(one["Key"] for one in store.versions() if "/packs/" in one["Key"])
    s3.put_object_legal_hold(Bucket=bucket, Key=pack, LegalHold={"Status": "ON"})
    plan = case.plan()["data"]
    before = _keys(case)

    result = case.project.run("purge", "run", plan["plan"], expect=11)

    assert plan["remotes"][0]["obstacles"]
    assert "nothing was changed" in said(result)
    assert _keys(case) == before


@pytest.mark.parametrize("query", [r"\?versions", r"[?&]versions"])
def test_without_the_right_to_list_versions_nothing_is_done_and_nothing_called_absent(
    s3_case: Case, gate: Chaos, query: str
) -> None:
    project = s3_case.project
    plan = s3_case.plan()["data"]["plan"]
    before = _keys(s3_case)
    project.run("config", "set", "--local", "remote.origin.endpoint_url", gate.url)
    gate.fail(Rule(s3_error(403, "AccessDenied"), method="GET", path=query, times=None))

    result = project.run("purge", "run", plan, expect=4)

    assert "ListBucketVersions" in said(result)
    assert _keys(s3_case) == before
    gate.heal()
    erasure = str(project.ask("purge", "run", plan)["erasure"])
    gate.fail(Rule(s3_error(403, "AccessDenied"), method="GET", path=query, times=None))
    seen = project.run("--json", "purge", "verify", erasure, expect=22).json
    assert seen["data"]["remotes"][0]["state"] == "UNKNOWN"
