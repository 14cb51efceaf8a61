"""The commands, their options and what their arguments are, as a table.

What needs them without Typer reads them here: the help page, completion, and suggestions for
typos.  Typer's own declarations stand beside the command bodies; a test holds that both agree.
"""

from __future__ import annotations

from typing import NamedTuple

LINK_TYPES = "reflink|copy|hardlink|symlink"


class Command(NamedTuple):
    """One command as the help page and completion see it."""

    words: str
    """What calls it, such as `add` or `remote add`."""
    summary: str
    options: str = ""
    """Separated by blanks; `=` after one that takes a value, `a|b` after it for its choices."""
    takes: str = ""
    """What its arguments are: `files`, `tracked`, `revisions tracked`, `remotes`, `keys`, or choices."""


_SELECTION = (
    "--path=PATTERN --path-file=FILE --oid=ID --file=FILE --subject-file=FILE --due=DATE --ticket=REF"
)
_ERASING = "--signing-key=FILE --accept-unverifiable"
_TRANSFER = "--remote=REMOTE --dry-run -j=N --jobs=N"

SECTIONS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    (
        "Track data",
        (
            Command("init", "make this Git repository ready for data"),
            Command(
                "add",
                "record files or folders and stage their pointers",
                f"--hash=blake3|xxh128 --link={LINK_TYPES} --dry-run --no-stage --untrack -j=N --jobs=N",
                "files",
            ),
            Command(
                "status",
                "compare workspace, pointers and HEAD",
                "--exit-code --porcelain -z --verify --remote=REMOTE --strict",
                "tracked",
            ),
            Command(
                "diff",
                "show what changed between two versions, or a version and the workspace",
                "--dirs --name-only --md --exit-code",
                "revisions tracked",
            ),
            Command(
                "checkout",
                "bring the workspace to the pointers, or to those of a revision",
                f"--force --dry-run --to=DIR --relink --link={LINK_TYPES} --all --strict",
                "revisions tracked",
            ),
            Command("untrack", "stop tracking; the data stays", "--dry-run", "tracked"),
            Command("ls", "list what is tracked", "--checksum -R --recursive", "revisions tracked"),
            Command("cat", "print a tracked file, of any revision", "", "revisions tracked"),
            Command("mv", "move a target with its pointer and ignore line", "", "tracked"),
            Command(
                "log",
                "show which commits changed a dataset or a file in it, and how",
                "-n=N --limit=N --name-only --no-follow",
                "revisions tracked",
            ),
            Command(
                "resolve",
                "settle pointers that a merge left in conflict",
                "--ours --theirs --union --dry-run",
                "tracked",
            ),
        ),
    ),
    (
        "Share data",
        (
            Command("push", "send data to a remote", f"{_TRANSFER} --refs=RANGE --all", "tracked"),
            Command(
                "fetch",
                "bring data from a remote into the cache",
                f"{_TRANSFER} --refs=RANGE --all --strict",
                "tracked",
            ),
            Command("pull", "fetch, then check out", f"{_TRANSFER} --force --strict", "tracked"),
            Command(
                "remote add",
                "name a place for data, and check it",
                "--default --endpoint-url=URL --region=NAME --profile=NAME --anon",
            ),
            Command("remote list", "list the remotes"),
            Command("remote remove", "forget a remote; what it holds stays", "", "remotes"),
            Command("remote rename", "rename a remote", "", "remotes"),
            Command("remote set", "set a key of a remote", "", "remotes"),
            Command("remote default", "print or choose the default remote", "", "remotes"),
            Command("remote stats", "count what lies on a remote, and what it costs", "", "remotes"),
        ),
    ),
    (
        "Keep data and Git together",
        (
            Command(
                "check",
                "look whether a remote has all data of commits",
                "--refs=RANGE --all --remote=REMOTE -j=N --jobs=N",
                "tracked",
            ),
            Command(
                "verify",
                "read what the cache or a remote holds and name what is damaged",
                "--cache --remote=REMOTE --refs=RANGE --all --sample=SHARE --repair --strict -j=N --jobs=N",
                "tracked",
            ),
            Command(
                "gc",
                "take away what no version needs that anything still names",
                "--cache --remote=REMOTE --dry-run --apply --grace=DURATION --now --undo --pushed --all"
                " --fetch --ignore-missing --forget=PATH --repo=PATH -j=N --jobs=N",
            ),
            Command("doctor", "say what is wrong with this clone and how to mend it", "--offline --fix"),
            Command("hooks install", "let Git call dataver on switch, merge, commit and push"),
            Command("hooks uninstall", "take dataver out of Git's hooks"),
            Command("hooks status", "say which of Git's hooks call dataver"),
        ),
    ),
    (
        "Erase data",
        (
            Command(
                "purge plan",
                "say what an erasure would take, everywhere",
                f"{_SELECTION} --rows=TABLE --key=COLUMN --rev=RANGE --shared=erase|unlink --remote=REMOTE",
            ),
            Command("purge approve", "sign a plan", "--signing-key=FILE --signature=FILE --text"),
            Command("purge run", "carry out a plan", _ERASING),
            Command("purge resume", "go on with an erasure that is not done everywhere", _ERASING),
            Command("purge verify", "look again whether what was erased is gone"),
            Command("purge show", "show an erasure and its receipt", "--page=FILE"),
            Command("purge close", "close an erasure that is done", "--signing-key=FILE"),
            Command("purge lift", "let erased content come back", "--signing-key=FILE"),
            Command("purge list", "list the erasures with their dates", "--overdue"),
            Command(
                "purge sweep",
                "apply an erasure again, after a restored backup",
                f"--restored=REMOTE {_ERASING}",
            ),
            Command("purge scan", "look in any folder for erased content", "--delete", "files"),
            Command("purge audit", "check records, signatures and a receipt, offline", "", "files"),
            Command(
                "purge signers",
                "say who may sign erasures, or appoint them",
                "--approvals=N --signing-key=FILE",
                "files",
            ),
            Command("impact", "say what may have been made from erased data"),
            Command(
                "hold add",
                "keep content that may not be erased, undelivered",
                f"{_SELECTION} --signing-key=FILE",
            ),
            Command("hold list", "list the holds"),
            Command("hold release", "end a hold", "--signing-key=FILE"),
        ),
    ),
    (
        "Settings",
        (
            Command("config list", "list all settings", "--show-origin"),
            Command("config get", "print a setting", "", "keys"),
            Command("config set", "change a setting", "--local --user", "keys"),
            Command("config unset", "remove a setting", "--local --user", "keys"),
            Command("completion", "print a completion script", "", "bash|zsh|fish|powershell"),
        ),
    ),
)

PLUMBING = ("git-diff", "git-textconv", "git-merge", "complete", "hook")
"""What Git and the shells call; they run without Typer and are in no help page."""

COMMANDS: dict[str, Command] = {c.words: c for _, commands in SECTIONS for c in commands}
GROUPS = tuple(dict.fromkeys(words.split()[0] for words in COMMANDS if " " in words))
VERBS = tuple(dict.fromkeys(words.split()[0] for words in COMMANDS))


def option_names(words: str) -> list[str]:
    """Return the options of the command *words*, without what they take."""
    command = COMMANDS.get(words)
    return [option.partition("=")[0] for option in command.options.split()] if command else []


def find_command(words: list[str]) -> Command | None:
    """Return the command that the first of *words* call."""
    return COMMANDS.get(" ".join(words[:2])) or COMMANDS.get(words[0] if words else "")
