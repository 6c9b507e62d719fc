"""A forked process becomes a daemon: nothing of its siblings, everything of its caller."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from setproctitle import setproctitle

from descartes_local.descriptors import let_go
from descartes_orchestrator.fork_server.wire import Request
from descartes_orchestrator.handing_over import FIRST, arrange, variables

Main = Callable[[list[str]], int]


def fork_daemon(request: Request, main: Main, answer: Callable[[int], None]) -> None:
    """Fork twice, so that the supervisor is the parent, and answer with the daemon's pid; it waits for the word.

    Raises:
        OSError: there is no room for another process.

    """
    reading, writing = os.pipe()
    try:
        middle = os.fork()
        if middle == 0:
            _fork_again(request, main, writing)
    except OSError:
        os.close(reading)
        raise
    finally:
        let_go([writing, *request.descriptors])
    told = os.read(reading, 100)
    os.close(reading)
    try:
        if not told.isdigit():
            raise OSError(told.decode(errors="replace") or "the process in the middle was killed")
        # Its end takes longer than all the rest.
        answer(int(told))
    finally:
        os.waitpid(middle, 0)


def _fork_again(request: Request, main: Main, writing: int) -> NoReturn:
    try:
        try:
            pid = os.fork()
        except OSError as error:
            os.write(writing, str(error).encode())
            os._exit(1)
        if pid == 0:
            _become(request, main)
        os.write(writing, str(pid).encode())
    finally:
        os._exit(0)


def _become(request: Request, main: Main) -> NoReturn:
    """Run a daemon; nothing of the fork server's stack may run after it."""
    code = 1
    try:
        os.setsid()
        os.chdir("/")
        os.umask(0o077)
        output, word, *descriptors = request.descriptors
        arrange(output, [*descriptors, word])
        _take_surroundings(request)
        if _has_word(FIRST + len(descriptors)):
            gc.enable()
            code = main(list(request.arguments))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _take_surroundings(request: Request) -> None:
    os.environ.clear()
    os.environ.update(request.environment)
    os.environ.update(variables(request.names))
    time.tzset()
    sys.argv = [request.title, *request.arguments]
    setproctitle(request.title)


def _has_word(descriptor: int) -> bool:
    """Wait for the word; who asked and does not know our pid lets us end before anything has run."""
    word = os.read(descriptor, 1)
    os.close(descriptor)
    return word != b""
