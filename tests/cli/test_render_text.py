"""What `init`, `add`, `checkout`, `push`, `fetch`, `pull`, `remote` and `config` say, word by word."""

import dataver
from dataver import (
    ConfigListResult,
    ConfigValue,
    InitResult,
    ListedEntry,
    ListResult,
    MoveResult,
    PullResult,
    RemoteAddResult,
    RemoteInfo,
    RemoteListResult,
    UntrackResult,
)
from dataver.cli import render_text
from tests.cli import made


def test_init_says_where_and_what_comes_next() -> None:
    page = render_text.initialised(InitResult("/home/ada/churn", "main", created=True), "/home/ada")

    assert page.lines == ["Initialised dataver in ~/churn (git branch main)"]
    assert page.notes == ["Next: dataver add <path>"]


def test_init_outside_of_home_shows_the_whole_path() -> None:
    page = render_text.initialised(InitResult("/srv/churn", "", created=True), "/home/ada")

    assert page.lines == ["Initialised dataver in /srv/churn (git HEAD is detached)"]


def test_a_folder_whose_name_begins_like_home_is_not_below_home() -> None:
    page = render_text.initialised(InitResult("/home/adam", "main", created=True), "/home/ada")

    assert page.lines == ["Initialised dataver in /home/adam (git branch main)"]


def test_a_second_init_says_that_nothing_was_to_do() -> None:
    page = render_text.initialised(InitResult("/srv/churn", "main", created=False))

    assert page.lines == ["dataver is already initialised in /srv/churn (git branch main)"]


def test_a_first_add_says_what_was_tracked_and_what_comes_next() -> None:
    page = render_text.added(made.add_result(made.added()))

    assert page.lines == ["Tracked data/  1,204 files, 3.1 GB -> data.dv (staged with .gitignore)"]
    assert page.notes == ['Next: git commit -m "Add data"']


def test_a_later_add_says_what_changed() -> None:
    target = made.added(is_new=False, added=40, deleted=2, modified=3, renamed=1, bytes_added=120_000_000)

    page = render_text.added(made.add_result(target))

    assert page.lines == ["Tracked data/  +40 files  -2  ~3  1 renamed  +120 MB -> data.dv (staged)"]
    assert page.notes == ()


def test_an_add_of_one_file_says_file() -> None:
    target = made.added(path=b"model.bin", pointer=b"model.bin.dv", is_folder=False, files=1, size=5)

    page = render_text.added(made.add_result(target))

    assert page.lines == ["Tracked model.bin  1 file, 5 B -> model.bin.dv (staged with .gitignore)"]


def test_an_add_that_stages_nothing_says_so() -> None:
    page = render_text.added(made.add_result(made.added(is_staged=False)))

    assert page.lines == ["Tracked data/  1,204 files, 3.1 GB -> data.dv (not staged)"]
    assert page.notes == ()


def test_an_add_of_what_is_the_same_says_unchanged() -> None:
    page = render_text.added(made.add_result(made.added(is_new=False, is_unchanged=True)))

    assert page.lines == ["Unchanged data/  1,204 files, 3.1 GB"]


def test_a_dry_run_of_add_says_would() -> None:
    page = render_text.added(made.add_result(made.added(), dry_run=True))

    assert page.lines == ["Would track data/  1,204 files, 3.1 GB -> data.dv"]
    assert page.notes == ()


def test_the_commit_that_comes_next_can_be_pasted_into_a_shell() -> None:
    page = render_text.added(made.add_result(made.added(path=b'a"$b')))

    assert page.notes == ['Next: git commit -m "Add a\\"\\$b"']


def test_a_name_that_is_not_utf8_is_shown_escaped() -> None:
    page = render_text.added(made.add_result(made.added(path=b"caf\xe9", is_unchanged=True)))

    assert page.lines == ["Unchanged caf\\xe9/  1,204 files, 3.1 GB"]


def test_push_says_what_went_where_and_how_long_it_took() -> None:
    page = render_text.pushed(made.push_result())

    assert page.lines == ["Pushed 1,204 files, 3.1 GB to origin: 97 packs in 0:41 (0 B already there)"]


def test_a_push_with_nothing_new_says_so() -> None:
    page = render_text.pushed(made.push_result(objects=0, packs=0))

    assert page.lines == ["Nothing to push: origin has all 1,204 files, 3.1 GB"]


def test_a_dry_run_of_push_says_would() -> None:
    page = render_text.pushed(made.push_result(dry_run=True, present=1000))

    assert page.lines == [
        "Would push 1,204 files, 3.1 GB to origin: 1,310 objects (1.0 kB already there)",
        "Cost: about 0 requests, 97 packs, 2.9 GB sent",
    ]


def test_a_verbose_push_says_what_it_cost() -> None:
    page = render_text.pushed(made.push_result(requests=109), has_cost=True)

    assert page.lines[1:] == ["Cost: 109 requests, 97 packs, 2.9 GB sent"]


def test_fetch_says_what_came() -> None:
    page = render_text.fetched(made.fetch_result())

    assert page.lines == ["Fetched 800 files, 2.0 GB from origin: 63 packs in 0:20 (1.9 GB received)"]


def test_a_fetch_with_nothing_new_says_so() -> None:
    page = render_text.fetched(made.fetch_result(objects=0))

    assert page.lines == ["Nothing to fetch: the cache has all 800 files, 2.0 GB"]


def _pull(**different: object) -> PullResult:
    fetch = made.fetch_result()
    checkout = made.checkout_result(made.checked_out())
    usual = {"fetch": fetch, "checkout": checkout, "files": 1204, "total_files": 1204, "size": 3_100_000_000}
    return PullResult(**{**usual, **different})  # type: ignore[arg-type]


def test_a_narrowed_pull_says_to_what() -> None:
    page = render_text.pulled(_pull(files=800, size=2_000_000_000, patterns=("data/train",)))

    assert page.lines == ["Pulled 800 of 1,204 files, 2.0 GB (data/train only)"]


def test_a_whole_pull_counts_files_and_bytes() -> None:
    assert render_text.pulled(_pull()).lines == ["Pulled 1,204 files, 3.1 GB"]


def test_a_pull_with_nothing_new_says_up_to_date() -> None:
    page = render_text.pulled(_pull(fetch=made.fetch_result(objects=0), checkout=made.checkout_result()))

    assert page.lines == ["Up to date: 1,204 files, 3.1 GB"]


def test_a_dry_run_of_pull_says_what_would_come() -> None:
    dry = made.checkout_result(dry_run=True)

    page = render_text.pulled(_pull(fetch=made.fetch_result(dry_run=True), checkout=dry))

    assert page.lines == [
        "Would fetch 810 objects of 800 files, 2.0 GB from origin",
        "Cost: about 70 requests, 63 packs, 1.9 GB received",
    ]


def test_a_verbose_fetch_says_what_it_cost() -> None:
    page = render_text.fetched(made.fetch_result(), has_cost=True)

    assert page.lines[1:] == ["Cost: 70 requests, 63 packs, 1.9 GB received"]


def test_a_verbose_pull_says_what_it_cost() -> None:
    page = render_text.pulled(_pull(requests=72), has_cost=True)

    assert page.lines == ["Pulled 1,204 files, 3.1 GB", "Cost: 72 requests, 63 packs, 1.9 GB received"]


def test_checkout_says_what_it_wrote_and_deleted() -> None:
    page = render_text.checked_out(made.checkout_result(made.checked_out(deleted=2), rev="v1"))

    assert page.lines == ["Checked out data/ at v1  3 files written, 2 deleted (4.0 kB)"]


def test_a_checkout_that_touches_nothing_says_so() -> None:
    page = render_text.checked_out(made.checkout_result(made.checked_out(written=0)))

    assert page.lines == ["Nothing to do: the workspace is at its pointers"]


def test_a_dry_run_of_checkout_names_each_path() -> None:
    planned = (made.change("deleted", b"data/a", old=1), made.change("added", b"data/b", new=2))

    page = render_text.checked_out(
        made.checkout_result(made.checked_out(written=1, deleted=1, size=2), dry_run=True, planned=planned)
    )

    assert page.lines == [
        "Would check out data/  1 file written, 1 deleted (2 B)",
        "    - data/a",
        "    + data/b  2 B",
    ]


def test_untrack_says_that_the_data_stays() -> None:
    assert render_text.untracked(UntrackResult((b"data",))).lines == ["Untracked data (the data stays)"]


def test_mv_says_from_where_to_where() -> None:
    page = render_text.moved(MoveResult(b"data", b"inputs", b"inputs.dv"))

    assert page.lines == ["Moved data -> inputs (inputs.dv staged)"]


def test_ls_puts_the_size_before_the_name() -> None:
    entries = (
        ListedEntry(b"data/train", "folder", 2_000, "", b"data.dv", files=2),
        ListedEntry(b"data/run.sh", "executable", 10, "blake3:ab", b"data.dv"),
    )

    page = render_text.listed(ListResult(entries))

    assert page.lines == [" 2.0 kB  data/train/", "   10 B  data/run.sh*"]


def test_remote_add_says_what_was_checked() -> None:
    result = RemoteAddResult(
        RemoteInfo("origin", "../store", "1f", is_default=True),
        can_list=True,
        can_write=True,
        can_delete=True,
        has_create_if_absent=True,
        is_new=True,
    )

    (line,) = render_text.remote_added(result).lines

    assert line.startswith("Remote origin = ../store (default). Checked: ")
    assert line.endswith("Checked: can list, can write, can delete, create-if-absent holds.")


def test_remote_list_marks_the_default() -> None:
    remotes = (
        RemoteInfo("origin", "../store", "1", is_default=True),
        RemoteInfo("b", "s3://x", "2", is_default=False),
    )

    page = render_text.remotes_listed(RemoteListResult(remotes))

    assert page.lines == ["origin  ../store  (default)", "b       s3://x"]


def test_no_remotes_says_how_to_add_one() -> None:
    page = render_text.remotes_listed(RemoteListResult(()))

    assert page.notes[-1] == "hint: dataver remote add origin URL"


def test_config_list_can_name_the_origin() -> None:
    result = ConfigListResult((ConfigValue("cache.link", "copy", ".dataver/config.toml"),))

    assert render_text.settings_listed(result, has_origin=True).lines == [
        "cache.link = copy  (.dataver/config.toml)"
    ]


def test_a_setting_reads_as_config_set_takes_it() -> None:
    values = [dataver.ConfigValue("k", value, "") for value in (True, ["a", "b"], 7, None)]

    assert [render_text.setting_text(value) for value in values] == ["true", "a, b", "7", ""]
