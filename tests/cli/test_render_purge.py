"""What purge, impact and hold say to a person, and what their documents hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dataver import (
    AuditFinding,
    HoldInfo,
    HoldResult,
    ImpactedPath,
    ImpactResult,
    PlannedFile,
    PurgeApproveResult,
    PurgeAuditResult,
    PurgeListResult,
    PurgeScanResult,
    PurgeShowResult,
    PurgeVerifyResult,
    Result,
    ScanHit,
    SignersResult,
)
from dataver.cli import documents, render_purge
from dataver.cli.wording import Page
from tests.cli import made_purge as made

HIT = ScanHit("old/face.jpg", "E-1f3a9c2e", deleted=False)
FINDING = AuditFinding("receipt r.json", is_good=False, why="no closing record names its digest")
IMPACT = ImpactResult("E-1f3a9c2e", 7, ("v1",), (ImpactedPath(b"models/churn.bin", ("c0ffee0",)),))
HOLD = HoldInfo("H-1f3a9c2e", "2026-02-19", "2026-12-31", 3, "CLAIM-4")
RESULTS: dict[str, Result] = {
    "purge-plan": made.plan_result(),
    "purge-run": made.run_result(),
    "purge-verify": PurgeVerifyResult(made.report()),
    "purge-show": PurgeShowResult(made.report(), "ab" * 32, "page.html"),
    "purge-list": PurgeListResult((made.report(),)),
    "purge-approve": PurgeApproveResult(made.PLAN, 1, 2, "SHA256:ab"),
    "purge-signers": SignersResult(("SHA256:ab",), 1, changed=True),
    "purge-scan": PurgeScanResult("old", 12, (HIT,)),
    "purge-audit": PurgeAuditResult(4, (FINDING,)),
    "impact": IMPACT,
    "hold-list": HoldResult((HOLD,)),
}


def text_of(page: Page) -> str:
    return "\n".join(page.lines)


def data_of(verb: str, result: Result) -> dict[str, Any]:
    data = json.loads(documents.document(verb, result, 0))["data"]
    assert isinstance(data, dict)
    return data


# -- documents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", RESULTS)
def test_every_result_has_a_document(verb: str) -> None:
    document = json.loads(documents.document(verb, RESULTS[verb], 0))

    assert document["schema"] == f"dataver.{verb}/1"


def test_the_document_of_a_plan_gives_the_digest_to_run() -> None:
    assert data_of("purge-plan", made.plan_result())["plan"] == made.PLAN


def test_the_document_of_a_plan_that_is_not_decided_gives_no_digest() -> None:
    assert data_of("purge-plan", made.plan_result(plan=""))["plan"] is None


def test_the_document_of_a_run_gives_the_erasure() -> None:
    assert data_of("purge-run", made.run_result())["erasure"] == "E-1f3a9c2e"


def test_a_name_that_is_not_utf8_survives_a_document() -> None:
    file = PlannedFile(b"data/\xff", 1, 1)

    (planned,) = data_of("purge-plan", made.plan_result(files=(file,)))["files"]

    assert planned["path"] == {"b64": "ZGF0YS//"}


# -- plans ------------------------------------------------------------------------------------------


def test_a_plan_reads_from_what_it_takes_to_the_digest() -> None:
    page = render_purge.planned(made.plan_result())

    assert page.lines == [
        "This erasure would take, from every version:",
        "    files      2 files, 2 different contents, 2.0 MB",
        "    versions   5 versions of data sets",
        "    commits    7 commits, 2 tags: v1, v2",
        "    lists      6 entries of 2 leaves",
        "               1 leaf that no commit here names holds it",
        "    due        2026-03-02",
        "    reference  GDPR-17",
        "",
        "Files:",
        "    data/users/u1041/face.jpg   2.0 MB, in 5 versions",
        "    data/users/u1041/x            10 B, in 1 version",
        "",
        "Remote origin = s3://bucket/prefix (s3)",
        "    3 packs, 96 MB: written anew without it, then deleted",
        "    7 versions, delete markers and unfinished uploads of these",
        "    versioning: enabled",
        "",
        "Not looked into, and may hold it too:",
        "    data/old.zip: an archive",
        "",
        "Stays in Git, whose history is not rewritten:",
        "    commit messages: c0ffee0",
        "    names of tags: u1041-import",
        "",
        "Changed in commits that held it, and may be made from it:",
        "    models/churn.bin",
        "",
        f"Plan {made.PLAN}",
    ]
    assert page.notes == [f"Next: dataver purge run {made.PLAN}"]


def test_a_long_plan_shows_twenty_files_and_says_how_many_more() -> None:
    files = tuple(PlannedFile(b"data/%03d" % n, 1, 1) for n in range(57))

    lines = render_purge.planned(made.plan_result(files=files)).lines

    assert sum(line.startswith("    data/0") for line in lines) == 20
    assert "    and 37 more" in lines


def test_a_plan_that_needs_signatures_asks_for_them_first() -> None:
    page = render_purge.planned(made.plan_result(approvals=2, signed=1))

    assert page.notes == [
        "Signatures: 1 of 2",
        f"Next: dataver purge approve {made.PLAN} --signing-key FILE",
    ]


def test_shared_content_that_is_not_decided_leaves_nothing_to_run() -> None:
    page = render_purge.planned(made.plan_result(plan="", shared=(made.shared(),)))

    assert "    data/users/u1041/x = data/users/u7/x" in page.lines
    assert "somebody has to decide" in text_of(page)
    assert page.notes == []


def test_what_stands_in_the_way_on_a_remote_is_told() -> None:
    refused = made.planned_remote(state="refused", obstacles=("object lock until 2027-01-01",))

    text = text_of(render_purge.planned(made.plan_result(plan="", remotes=(refused,))))

    assert "Remote origin = s3://bucket/prefix (s3): refused" in text
    assert "    in the way: object lock until 2027-01-01" in text


def test_a_soft_delete_is_told_before_anything_is_done() -> None:
    soft = made.planned_remote(kind="gcs", soft_delete_s=604_800)

    text = text_of(render_purge.planned(made.plan_result(remotes=(soft,))))

    assert "deleted data is kept for 7 days more: RESTRICTED until then" in text


def test_control_characters_in_a_name_do_not_reach_the_terminal() -> None:
    file = PlannedFile(b"data/\x1b[2J", 1, 1)

    assert "\x1b" not in text_of(render_purge.planned(made.plan_result(files=(file,))))


# -- erasures ---------------------------------------------------------------------------------------


def test_a_finished_run_says_where_it_was_looked_for_and_how_far() -> None:
    remote = made.remote_report(level="versions")

    page = render_purge.ran(made.run_result(report=made.report(remotes=(remote,))))

    assert "\n".join(page.lines) == (
        "E-1f3a9c2e: closed\n"
        "    begun            2026-02-19\n"
        "    due              2026-03-02\n"
        "    closed           2026-02-21\n"
        "    reference        GDPR-17\n"
        "    erased           2 files, 2 different contents, 5 versions, 7 commits, 2 tags;"
        " 6 entries of 2 leaves\n"
        "    not looked into  1 data set: may hold it too\n"
        "    left in Git      2 places where it is named: history is not rewritten\n"
        "    this clone       ABSENT\n"
        "    origin           ABSENT (all versions, markers, uploads), s3: 3 packs, 96 MB removed,"
        " 90 MB written anew\n"
        "    clones           1 of 2 have removed it\n"
        "                     silent: 77aa00ff, last seen 2025-12-01\n"
        "    signed by        SHA256:0123456789\n"
        "Removed here: 3 files from work trees, 5 objects from the cache\n"
        "Receipt: /srv/churn/.git/dataver/receipts/E-1f3a9c2e.json"
    )


def test_a_remote_that_is_down_is_told_with_what_to_do() -> None:
    down = made.remote_report(name="backup", state="PENDING", level="none", why="cannot reach host", packs=0)
    report = made.report(state="pending", closed="", remotes=(down,))

    page = render_purge.reported(PurgeVerifyResult(report))

    assert "PENDING (not looked at), s3; cannot reach host" in text_of(page)
    assert page.notes == ["Next: dataver purge resume E-1f3a9c2e"]


def test_what_is_there_again_is_swept() -> None:
    report = made.report(remotes=(made.remote_report(state="PRESENT"),))

    page = render_purge.reported(PurgeVerifyResult(report))

    assert page.notes == ["Next: dataver purge sweep E-1f3a9c2e"]


def test_an_erasure_that_is_done_is_to_be_closed() -> None:
    page = render_purge.reported(PurgeVerifyResult(made.report(state="done", closed="")))

    assert page.notes == ["Next: dataver purge close E-1f3a9c2e"]


def test_a_list_shouts_what_is_overdue() -> None:
    late = made.report(state="open", is_overdue=True)

    page = render_purge.listed(PurgeListResult((late,)))

    assert page.lines == ["E-1f3a9c2e  begun  begun 2026-02-19  due 2026-03-02 OVERDUE  GDPR-17"]


def test_a_receipt_is_told_by_its_digest_and_its_page() -> None:
    page = render_purge.shown(PurgeShowResult(made.report(), "ab" * 32, "page.html"))

    assert page.lines[-2:] == [f"Receipt: {'ab' * 32}", "Page: page.html"]


# -- looking ----------------------------------------------------------------------------------------


def test_a_scan_names_each_file_and_counts_them() -> None:
    page = render_purge.scanned(PurgeScanResult("old", 12, (HIT, replace(HIT, deleted=True))))

    assert page.lines == [
        "E-1f3a9c2e  old/face.jpg",
        "E-1f3a9c2e  deleted  old/face.jpg",
        "Looked at 12 files in old: 2 files with erased content, 1 deleted",
    ]


def test_an_audit_names_what_failed() -> None:
    page = render_purge.audited(PurgeAuditResult(4, (AuditFinding("records", is_good=True), FINDING)))

    assert page.lines == [
        "good  records",
        "BAD   receipt r.json: no closing record names its digest",
        "Audited 4 records: 1 of 2 checks failed",
    ]


def test_no_signers_are_said_to_be_a_risk() -> None:
    page = render_purge.appointed(SignersResult((), 0, changed=False))

    assert page.lines == ["No signers are appointed: whoever can write to a remote can erase"]


def test_an_impact_names_what_may_be_made_from_it() -> None:
    page = render_purge.impacted(IMPACT)

    assert "    models/churn.bin  c0ffee0" in page.lines


def test_a_hold_says_since_when_and_until_when() -> None:
    page = render_purge.held(HoldResult((HOLD,), changed="H-1f3a9c2e"))

    assert page.lines == [
        "Holding H-1f3a9c2e",
        "H-1f3a9c2e  3 contents  since 2026-02-19  until 2026-12-31  CLAIM-4",
    ]
