"""Wait for the word, then become the agent's program.

Run as `python -I -S exec_helper.py`, with 0-2 as the program gets them, a socket to the daemon as 3 and the
agent's mark file as 4. posix_spawn can set neither directory nor umask nor limits, and tells a failed exec badly: this
does both.
Nothing is imported that is not built in: it starts in some 10 ms.

It reads one order (its length in ten digits, a newline, then that many bytes: fields ended by NUL: directory, umask,
soft descriptor limit or -, processors, number of arguments, arguments, environment entries), then waits for one byte
more. When the socket ends before that byte, the daemon is gone: it ends without having run anything. Before it execs it
writes "go" into the mark file, and what failed after it: so a later daemon knows whether the program ever ran.
"""

# No `from __future__ import annotations` here: importing it costs more than all of this file.
import _signal  # type: ignore[import-not-found]  # the built-in half of signal, which would import ten modules more
import errno
import posix
import sys

_SOCKET, _MARKS = 3, 4
_CANNOT_RUN = 127
#: Digits of an order's length, and a newline.
_LENGTH = 11
#: A directory's kind, as stat has it.
_DIRECTORY = 0o040000


def _receive(count: int) -> bytes | None:
    """Return exactly so many bytes: what comes behind them is the word to go."""
    pieces, missing = [], count
    while missing > 0:
        piece = posix.read(_SOCKET, min(missing, 1 << 20))
        if not piece:
            return None
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _order() -> list[bytes] | None:
    length = _receive(_LENGTH)
    body = None if length is None else _receive(int(length))
    return None if body is None else body.split(b"\0")[:-1]


def _search(program: bytes, environment: dict[bytes, bytes]) -> list[bytes]:
    if b"/" in program:
        return [program]
    path = environment.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin")
    return [(folder or b".") + b"/" + program for folder in path.split(b":")]


def _exec(arguments: list[bytes], environment: dict[bytes, bytes]) -> OSError:
    """Exec the first that can be; return the most telling failure (a shell's rule: not found is said last)."""
    telling = OSError(errno.ENOENT, "not found")
    for candidate in _search(arguments[0], environment):
        try:
            posix.execve(candidate, arguments, environment)
        except OSError as error:
            kind = _kind_of(candidate)
            if kind == _DIRECTORY:
                telling = OSError(errno.EISDIR, "is a directory")
            elif error.errno == errno.ENOENT and kind is not None:
                telling = OSError(errno.ENOENT, "the interpreter it names is not there")
            elif error.errno not in (errno.ENOENT, errno.ENOTDIR):
                telling = error
    return telling


def _kind_of(path: bytes) -> int | None:
    """Return what kind of file it is, None where there is none: exec itself tells too little."""
    try:
        return posix.stat(path).st_mode & 0o170000
    except OSError:
        return None


def _set_limit(soft: bytes) -> None:
    if soft != b"-":
        import resource  # a built extension, and only where a limit is given back

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(int(soft), hard), hard))


def _run(order: list[bytes]) -> OSError:
    directory, umask, soft, processors, count, *rest = order
    arguments, entries = rest[: int(count)], rest[int(count) :]
    environment = dict(entry.split(b"=", 1) for entry in entries)
    # Python ignores these two; a program expects them to be as they are by default.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    try:
        posix.chdir(directory)
    except OSError as error:
        return OSError(error.errno, f"cannot enter {directory.decode(errors='replace')!r}: {error.strerror}")
    posix.umask(int(umask))
    _set_limit(soft)
    if processors and sys.platform == "linux":
        posix.sched_setaffinity(0, [int(number) for number in processors.split(b",")])
    return _exec(arguments, environment)


def main() -> int:
    """Wait, then run; return only what a program that cannot be run ends with."""
    # What our daemon was started with may be inheritable: it is no affair of the program's.
    posix.closerange(_MARKS + 1, posix.sysconf("SC_OPEN_MAX"))
    posix.set_inheritable(_SOCKET, False)
    posix.set_inheritable(_MARKS, False)
    order = _order()
    if order is None or posix.read(_SOCKET, 1) != b"g":
        return 0
    try:
        posix.write(_MARKS, b"go\n")
        failure = _run(order)
    except OSError as error:  # no room for the mark, or the limit is refused
        failure = error
    text = f"{failure.errno} {failure.strerror}\n".encode()
    for descriptor, words in ((_MARKS, b"failed " + text), (_SOCKET, text)):
        try:
            posix.write(descriptor, words)
        except OSError:
            continue  # no room for it: the other one will do
    return _CANNOT_RUN


if __name__ == "__main__":
    posix._exit(main())
