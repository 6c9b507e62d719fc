"""Run one verb, turn errors into exit codes."""

from __future__ import annotations

import gc
import io
import os
import sys

from descartes_cli.render import say_wrong
from descartes_core.errors import DescartesError, SessionNotFound
from descartes_local.home import find_home

#: As the shell has it for a program that Ctrl-C, or a closed pipe, has ended.
INTERRUPTED, BROKEN_PIPE = 130, 141

#: The options of `ps` that are read here: its answer comes sooner than click could be imported.
_OF_PS = {"-a", "--all", "--json", "--wide"}


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    _fit_stdout()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except OSError as error:
        _forget_stdout()
        say_wrong(f"{error.filename or 'input or output'}: {error.strerror or error}")
        return 1
    return code


def _fit_stdout() -> None:
    """Let all be written that is written, whatever the terminal can show and however Python was told to begin."""
    _open_closed()
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return
    if isinstance(sys.stdout.buffer, io.RawIOBase):  # PYTHONUNBUFFERED: what a pipe takes only in part would be lost
        sys.stdout = open(1, "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a name still shows the rest


def _open_closed() -> None:
    """Open what we were started without: else a socket gets its number, and is written to as if it were that."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(descriptor, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115


def _run(arguments: list[str]) -> int:
    try:
        if arguments[:1] == ["ps"] and _OF_PS.issuperset(arguments[1:]):
            from descartes_cli.fleet_table import show_fleet

            everything = "-a" in arguments or "--all" in arguments
            show_fleet(everything=everything, as_json="--json" in arguments, wide="--wide" in arguments)
            return 0
        from descartes_cli import verbs

        gc.enable()  # some verbs run for days
        if "_DESCARTES_COMPLETE" in os.environ:
            return verbs.complete()
        return verbs.run_verb(arguments)
    except SessionNotFound as error:
        say_wrong(f"{error.message}; descartes sessions list shows all that are found")
        return error.exit
    except DescartesError as error:
        say_wrong(error.message)
        _explain(error)
        return error.exit
    except KeyboardInterrupt:
        return INTERRUPTED


def _explain(error: DescartesError) -> None:
    """Tell of daemons of another version, where that may be why."""
    from descartes_cli.skew import explained  # only who is refused pays for it

    try:
        remarks = explained(find_home(), error)
    except DescartesError:
        return  # there is no home to look into, which has been told
    for remark in remarks:
        say_wrong(remark)


def _forget_stdout() -> None:
    """Keep the interpreter from complaining, at its end, that it cannot write what is still buffered."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
