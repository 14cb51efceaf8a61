"""The entries that run without Typer, which costs 50 ms: what shells, Git and scripts call often.

`--help` and `--version` without a command, `status`, Git's drivers and hooks, and `complete`.  An argument
that is not understood here is left to Typer, which says what is wrong with it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import dataver
from dataver.cli.catalog import SECTIONS
from dataver.cli.session import Session
from dataver.cli.wording import Page
from dataver.errors import DataverError, UsageError

_CONFLICT = 1
"""What a merge driver answers when a person has to decide."""


def run(session: Session, words: list[str]) -> int | None:
    """Run *words* if they are one of the fast entries; None when they are not."""
    if session.options.wants_version:
        page = Page([f"dataver {dataver.__version__}"], is_data=True)
        return session.say("version", {"version": dataver.__version__}, page)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(help_text())
        return 0 if words else 2
    if words[0] == "help":
        words[:] = [*words[1:], "--help"]
        return run(session, words)
    if words[0] == "status":
        parsed = parse_status(words[1:])
        return None if parsed is None else show_status(session, parsed)
    if words[0] == "complete":
        from dataver.cli import completion  # only the shell's Tab key needs it

        sys.stdout.write("".join(f"{line}\n" for line in completion.complete(words[1:])))
        return 0
    if words[0] == "hook":
        from dataver.cli import githooks  # only Git's hooks need it

        return githooks.run(session, words[1:])
    driver = {"git-diff": _git_diff, "git-textconv": _git_textconv, "git-merge": _git_merge}.get(words[0])
    return driver(session, words[1:]) if driver else None


def help_text() -> str:
    """Return the help page of the program."""
    from dataver.cli.arguments import GLOBAL_OPTIONS  # only the help page lists them

    lines = [
        "Usage: dataver [OPTIONS] COMMAND [ARGS]...",
        "",
        "Version data with Git: small pointers in Git, the data in a cache and on any remote.",
    ]
    for title, commands in SECTIONS:
        lines += ["", f"{title}:", *(f"  {c.words:<15} {c.summary}" for c in commands)]
    lines += ["", "Options, before or after the command:"]
    lines += [f"  {option:<22} {meaning}" for option, meaning in GLOBAL_OPTIONS]
    lines += ["", "`dataver COMMAND --help` explains a command."]
    return "\n".join([*lines, ""])


# -- status -------------------------------------------------------------------------------------


class StatusArguments(NamedTuple):
    """What `status` was asked."""

    paths: tuple[str, ...] = ()
    has_exit_code: bool = False
    is_porcelain: bool = False
    has_nul: bool = False
    verify: bool = False
    remote: str | None = None
    """A remote's name; empty for the default one; None when no remote is asked."""
    strict: bool = False


def parse_status(words: Sequence[str]) -> StatusArguments | None:
    """Read the arguments of `status`; None when Typer has to say what is wrong with them."""
    flags = {
        "--exit-code": "has_exit_code",
        "--verify": "verify",
        "--porcelain": "is_porcelain",
        "-z": "has_nul",
        "--strict": "strict",
    }
    found: dict[str, Any] = {}
    paths: list[str] = []
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if word == "--":
            paths += reversed(rest)
            break
        if word in flags:
            found[flags[word]] = True
        elif word == "--remote":
            named = bool(rest) and _is_remote_name(rest[-1])
            found["remote"] = rest.pop() if named else ""
        elif word.startswith("--remote="):
            found["remote"] = word.partition("=")[2]
        elif word.startswith("-") and word != "-":
            return None
        else:
            paths.append(word)
    asked = StatusArguments(paths=tuple(paths), **found)
    return asked._replace(is_porcelain=asked.is_porcelain or asked.has_nul)


def _is_remote_name(word: str) -> bool:
    """Tell whether *word* after `--remote` is a remote's name and not a path: nothing is there."""
    return not (word.startswith("-") or os.path.lexists(word) or os.path.lexists(f"{word}.dv"))


def show_status(session: Session, asked: StatusArguments) -> int:
    """Run `status` and print what it found."""
    from dataver.cli import render_status  # `--help` and `--version` do without

    with session.repo() as repo:
        remote = True if asked.remote == "" else asked.remote
        result = dataver.status(
            repo,
            asked.paths,
            verify=asked.verify,
            remote=remote,
            strict=asked.strict,
            progress=session.progress(),
        )
    status = result.exit_status or (1 if asked.has_exit_code and not result.is_clean else 0)
    if asked.is_porcelain and not session.options.is_json:
        session.write(render_status.porcelain(result, has_nul=asked.has_nul))
        return session.show("status", result, lambda _: Page([]), exit_status=status)
    is_long = session.options.is_verbose
    return session.show(
        "status", result, lambda found: render_status.page(found, is_long=is_long), exit_status=status
    )


# -- what Git calls -----------------------------------------------------------------------------


def _git_diff(session: Session, words: list[str]) -> int:
    """Show one pointer's change for `git diff`, which would stop at an exit status other than 0."""
    if len(words) < 7:
        # Git names an unmerged path alone; it prints the line about it itself.
        return 0
    try:
        with session.repo() as repo:
            sys.stdout.write(dataver.git_diff(repo, words[0], words[1], words[4]))
    except DataverError as error:
        sys.stdout.write(f"dataver cannot compare {words[0]}: {error.message}\n")
    return 0


def _git_textconv(session: Session, words: list[str]) -> int:
    """Print a pointer's summary, where Git shows or compares one side at a time."""
    for file_name in words[:1]:
        with open(file_name, "rb") as file:
            session.write(dataver.git_textconv(file.read()).encode("utf-8", "surrogateescape"))
    return 0


def _git_merge(session: Session, words: list[str]) -> int:
    """Merge two versions of a pointer for `git merge`: %O %A %B %P."""
    if len(words) != 4:
        raise UsageError("git-merge takes four arguments: %O %A %B %P")
    base, ours, theirs, path = words
    try:
        with session.repo() as repo:
            return dataver.git_merge(repo, base, ours, theirs, path)
    except DataverError as error:
        session.report(error)
        return _CONFLICT
