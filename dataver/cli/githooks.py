"""What Git's hooks call, `dataver hook NAME`: without Typer, and quiet where there is nothing to say.

After a switch or a merge the exit status is always 0: Git has done its part, and an error of ours
would make that look failed.  Before a push it decides whether the commits may go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import dataver
from dataver.cli.session import Session
from dataver.errors import DataverError, NoDataverError, UsageError

_REFUSED = 1


def run(session: Session, words: Sequence[str]) -> int:
    """Run the hook that *words* name, with Git's own arguments behind it.  Raises: UsageError."""
    name = words[0] if words else ""
    arguments = list(words[1:])
    if name in ("post-checkout", "post-merge", "post-rewrite"):
        # `git commit --amend` calls post-rewrite too; it changes no file.
        return 0 if arguments[:1] == ["amend"] else _after(session)
    if name == "pre-commit":
        return _pre_commit(session)
    if name == "pre-push":
        return _pre_push(session, arguments)
    known = "post-checkout, post-merge, post-rewrite, pre-commit, pre-push"
    raise UsageError(f"no such hook {name!r}; known: {known}", hint="dataver hooks status")


def _after(session: Session) -> int:
    try:
        with session.repo() as repo:
            result = dataver.git_post_checkout(repo, progress=session.progress())
    except NoDataverError:
        return 0  # a branch without data
    except DataverError as error:
        session.report(error)
        return 0
    if result is not None:
        from dataver.cli import render_hooks  # a hook with nothing to do says nothing

        session.show("hook", render_hooks.without_absent(result), lambda _: render_hooks.brought(result))
    return 0


def _pre_commit(session: Session) -> int:
    try:
        with session.repo() as repo:
            result = dataver.git_pre_commit(repo, progress=session.progress())
    except NoDataverError:
        return 0
    except DataverError as error:
        session.report(error)
        return 0  # what cannot be looked at is no reason to keep a person from committing
    if not (result.unadded or result.failed or result.warnings):
        return 0
    from dataver.cli import render_hooks  # a hook with nothing to do says nothing

    session.show("hook", result, render_hooks.left_out)
    return _REFUSED if result.failed else 0


def _pre_push(session: Session, arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        raise UsageError("pre-push takes the name and the URL of Git's remote, and the refs on stdin")
    remote, url = arguments
    try:
        # Names of refs are bytes; those that are not UTF-8 pass through as they are.
        told = os.fsdecode(sys.stdin.buffer.read())
        result = dataver.git_pre_push(".", remote, url, told, progress=session.progress())
    except DataverError as error:
        session.report(error)
        session.tell(_WAY_OUT)
        return _REFUSED
    if result is None or not (result.objects or result.failed or result.warnings):
        return 0
    from dataver.cli import render_text  # a hook with nothing to do says nothing

    session.show("push", result, render_text.pushed)
    if result.failed:
        session.tell(_WAY_OUT)
    return _REFUSED if result.failed else 0


_WAY_OUT = (
    "The data of these commits is not all on the remote, so Git sends none of them.",
    "hint: git push --no-verify sends the commits without their data",
)
