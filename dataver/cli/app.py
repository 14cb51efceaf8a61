"""The Typer application: which function is which command.

What has to start quickly never comes here: see `cli.fast`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, cast

import typer
from typer.core import TyperCommand

from dataver.cli import (
    completion,
    configure,
    gc,
    history,
    holds,
    hooks,
    merging,
    purge,
    remotes,
    signing,
    sync,
    verify,
    versions,
)
from dataver.cli.catalog import find_command
from dataver.cli.session import Session
from dataver.cli.suggest import no_option
from dataver.cli.wording import Page
from dataver.errors import UsageError


class WordsCommand(TyperCommand):
    """A command that must know where `--` stood: revisions are before it, paths behind."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Double the first `--`: the parser takes one away."""
        if "--" in args:
            args.insert(args.index("--"), "--")
        return super().parse_args(ctx, args)


def print_completion(
    context: typer.Context,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"], typer.Argument(metavar="SHELL", help="Whose script.")
    ],
) -> int:
    """Print a completion script for bash, zsh, fish or powershell."""
    session: Session = context.obj
    text = completion.script(shell)
    return session.say("completion", {"shell": shell, "script": text}, Page(text.splitlines(), is_data=True))


# The base of all of Typer's usage errors; it has no public name.
_TyperUsageError = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])
_SETTINGS = {"help_option_names": ["-h", "--help"]}
_EPILOG = "Options for every command: dataver --help"


def _new_typer(help_text: str) -> typer.Typer:
    # Rich would cost 100 ms for each help page, and boxes do not paste well.
    return typer.Typer(
        help=help_text,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_SETTINGS,
    )


app = _new_typer("Version data with Git: small pointers in Git, the data in a cache and on any remote.")
_remote = _new_typer("The places that data is pushed to.")
_config = _new_typer("Settings.")
app.add_typer(_remote, name="remote")
app.add_typer(_config, name="config")
_hooks = _new_typer("Git's hooks.")
app.add_typer(_hooks, name="hooks")
_purge = _new_typer("Erase data from every version, cache and remote.")
app.add_typer(_purge, name="purge")
_hold = _new_typer("Content that is kept and not delivered.")
app.add_typer(_hold, name="hold")

_COMMANDS: tuple[tuple[typer.Typer, str, Callable[..., int]], ...] = (
    (app, "init", versions.init),
    (app, "add", versions.add),
    (app, "status", versions.status),
    (app, "diff", versions.diff),
    (app, "checkout", versions.checkout),
    (app, "untrack", versions.untrack),
    (app, "ls", versions.ls),
    (app, "cat", versions.cat),
    (app, "mv", versions.mv),
    (app, "log", history.log),
    (app, "resolve", merging.resolve),
    (app, "push", sync.push),
    (app, "fetch", sync.fetch),
    (app, "pull", sync.pull),
    (_remote, "add", remotes.add),
    (_remote, "list", remotes.list_),
    (_remote, "remove", remotes.remove),
    (_remote, "rename", remotes.rename),
    (_remote, "set", remotes.set_),
    (_remote, "default", remotes.default),
    (_remote, "stats", remotes.stats),
    (app, "verify", verify.verify),
    (app, "gc", gc.gc),
    (app, "check", hooks.check),
    (app, "doctor", hooks.doctor),
    (_hooks, "install", hooks.install),
    (_hooks, "uninstall", hooks.uninstall),
    (_hooks, "status", hooks.status),
    (_purge, "plan", purge.plan),
    (_purge, "approve", signing.approve),
    (_purge, "run", purge.run),
    (_purge, "resume", purge.resume),
    (_purge, "verify", purge.verify),
    (_purge, "show", purge.show),
    (_purge, "close", purge.close),
    (_purge, "lift", signing.lift),
    (_purge, "list", purge.list_),
    (_purge, "sweep", purge.sweep),
    (_purge, "scan", purge.scan),
    (_purge, "audit", purge.audit),
    (_purge, "signers", signing.signers),
    (app, "impact", purge.impact),
    (_hold, "add", holds.add),
    (_hold, "list", holds.list_),
    (_hold, "release", holds.release),
    (_config, "list", configure.list_),
    (_config, "get", configure.get),
    (_config, "set", configure.set_),
    (_config, "unset", configure.unset),
    (app, "completion", print_completion),
)
_TAKES_REVISIONS = (versions.diff, versions.checkout, versions.ls, history.log)
_KINDS: dict[Callable[..., int], type[TyperCommand]] = {
    verify.verify: verify.VerifyCommand,
    gc.gc: verify.VerifyCommand,
}

for _typer, _name, _function in _COMMANDS:
    _kind = _KINDS.get(_function) or (WordsCommand if _function in _TAKES_REVISIONS else TyperCommand)
    _typer.command(_name, epilog=_EPILOG, cls=_kind)(_function)


def run(session: Session, words: Sequence[str]) -> int:
    """Run the command that *words* call and return its exit status.  Raises: UsageError."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("dataver", list(words), obj=session) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as stop:
        sys.stdout.flush()
        return stop.exit_code
    except _TyperUsageError as error:
        option = getattr(error, "option_name", "")
        if option and type(error).__name__ == "NoSuchOption":
            found = find_command(list(words))
            raise no_option(str(option), found.words if found else "") from error
        raise _usage_error(error.format_message(), words) from error


def _usage_error(message: str, words: Sequence[str]) -> UsageError:
    found = find_command(list(words))
    text = message.rstrip(".")
    return UsageError(text[:1].lower() + text[1:], hint=f"dataver {found.words + ' ' if found else ''}--help")
