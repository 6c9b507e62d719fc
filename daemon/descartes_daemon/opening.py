"""Open what an agent needs, anew or from keeping, and start its helper."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from descartes_core import kept
from descartes_core.errors import SpawnFailed
from descartes_daemon.agent import Agent
from descartes_daemon.body import Body, StreamsBody, TerminalBody
from descartes_daemon.input_pipe import InputPipe
from descartes_daemon.keeping import Keeping
from descartes_daemon.launch import Launch, start_helper
from descartes_daemon.output_log import OutputLog
from descartes_daemon.program_log import ProgramLog
from descartes_daemon.recorder import Plumbing, Recorder, close_pipe, make_pipe
from descartes_daemon.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Opened:
    """A body, the helper in it, and a descriptor of the helper's process besides its own."""

    body: Body
    launch: Launch
    pidfd: int | None


def open_anew(agent: Agent, keeping: Keeping) -> Opened:
    """Open everything for a new agent, and start its helper, which waits.

    Raises:
        SpawnFailed: something cannot be had; nothing is left open.

    """
    with contextlib.ExitStack() as undo:
        try:
            for log in agent.logs:
                log.open()
                undo.callback(log.close)
            opened = _terminal(agent, undo) if agent.row.tty else _streams(agent, keeping, undo)
        except OSError as error:
            raise SpawnFailed(f"no terminal, pipe or log: {error.strerror}") from error
        undo.pop_all()
    return opened


def _terminal(agent: Agent, undo: contextlib.ExitStack) -> Opened:
    terminal = Terminal.open(agent.row.rows, agent.row.cols)
    undo.callback(terminal.close)
    plumbing = Plumbing(terminal.master, *make_pipe())
    undo.callback(close_pipe, plumbing)
    launch, pidfd = _helper(agent, terminal.name, undo)
    return Opened(_recorded(terminal, plumbing, agent.log), launch, pidfd)


def _streams(agent: Agent, keeping: Keeping, undo: contextlib.ExitStack) -> Opened:
    out, into = os.pipe()
    keys = _input(agent, into, keeping)
    undo.callback(keys.close)
    with contextlib.ExitStack() as theirs:
        theirs.callback(os.close, out)
        streams = [out]
        for log in agent.logs:
            assert isinstance(log, ProgramLog), "an agent without a terminal writes its logs itself"
            streams.append(log.for_program())
            theirs.callback(os.close, streams[-1])
        launch, pidfd = _helper(agent, streams, undo)
    return Opened(StreamsBody(keys, agent.find_tree), launch, pidfd)


def _helper(agent: Agent, stdio: str | Sequence[int], undo: contextlib.ExitStack) -> tuple[Launch, int | None]:
    launch = start_helper(stdio, agent.marks_file, agent.id)
    undo.callback(launch.close)
    return launch, os.dup(launch.pidfd) if launch.pidfd >= 0 else None


def open_kept(agent: Agent, parts: Mapping[str, int | None], keeping: Keeping) -> Body | None:
    """Open again what an earlier daemon had; None where the terminal was in nobody's keeping.

    Raises:
        OSError: a log cannot be opened; what was in keeping is open, as it was.

    """
    with contextlib.ExitStack() as undo:
        body = _kept_terminal(agent, parts, undo) if agent.row.tty else _kept_streams(agent, parts, keeping, undo)
        if body is not None:
            undo.pop_all()
            return body
    for part, descriptor in parts.items():
        if descriptor is not None and part != kept.PIDFD:
            os.close(descriptor)
    return None


def _kept_terminal(agent: Agent, parts: Mapping[str, int | None], undo: contextlib.ExitStack) -> Body | None:
    master, pipe_out, pipe_in = parts[kept.MASTER], parts[kept.PIPE_OUT], parts[kept.PIPE_IN]
    if master is None or pipe_out is None or pipe_in is None:
        return None
    agent.log.open()
    undo.callback(agent.log.close)
    terminal = Terminal(master)
    terminal.hold()
    return _recorded(terminal, Plumbing(master, pipe_out, pipe_in), agent.log)


def _kept_streams(
    agent: Agent, parts: Mapping[str, int | None], keeping: Keeping, undo: contextlib.ExitStack
) -> Body | None:
    for log in agent.logs:
        log.open()
        undo.callback(log.close)
    stdin = parts[kept.STDIN]
    # Without it the program has read the end of its input, for whatever reason; it goes on all the same.
    return StreamsBody(_input(agent, -1 if stdin is None else stdin, keeping), agent.find_tree)


def _recorded(terminal: Terminal, plumbing: Plumbing, log: OutputLog) -> Body:
    body = TerminalBody(terminal, plumbing, Recorder(plumbing, log))
    body.recorder.start()
    return body


def _input(agent: Agent, descriptor: int, keeping: Keeping) -> InputPipe:
    return InputPipe(descriptor, partial(keeping.forget_surely, kept.agent_name(agent.id, kept.STDIN)))
