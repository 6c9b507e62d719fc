"""An agent that leaves a tree: sessions of their own, forked twice, deaf, without a mark.

Prints one line for each descendant, `<kind> <pid>`, then `ready <own pid>`; kinds are child (in the leader's
session), setsid, and double (forked twice and a session of its own: the leader is not its parent).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

words = argparse.ArgumentParser()
words.add_argument("--deaf", action="store_true", help="nobody hears HUP, TERM and INT")
words.add_argument("--cleared", action="store_true", help="descendants have an empty environment")
words.add_argument("--closed", action="store_true", help="descendants have no terminal")
words.add_argument("--code", type=int, help="the leader ends at once, with this code")
words.add_argument("--stay", type=int, help=argparse.SUPPRESS)
options = words.parse_args()


def grow_deaf() -> None:
    if options.deaf:
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)


def stay() -> None:
    """Wait for a signal that is heard."""
    while True:
        signal.pause()


def become_descendant(told: int) -> None:
    """Run as a program of its own, so that its environment is what it was given."""
    flags = [f"--{name}" for name in ("deaf", "closed") if getattr(options, name)]
    os.set_inheritable(told, True)
    program = [sys.executable, "-I", "-S", __file__, *flags, "--stay", str(told)]
    os.execve(sys.executable, program, {} if options.cleared else dict(os.environ))


def grow(kind: str) -> None:
    """Make one descendant and wait until it stands."""
    hear, tell = os.pipe()
    child = os.fork()
    if child == 0:
        if kind != "child":
            os.setsid()
        if kind == "double" and os.fork() != 0:
            os._exit(0)
        become_descendant(tell)
    os.close(tell)
    print(f"{kind} {os.read(hear, 20).decode()}", flush=True)
    os.close(hear)
    if kind == "double":
        os.waitpid(child, 0)


grow_deaf()
if options.stay is not None:
    if options.closed:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
    os.write(options.stay, str(os.getpid()).encode())
    os.close(options.stay)
    stay()
for kind in ("child", "setsid", "double"):
    grow(kind)
print(f"ready {os.getpid()}", flush=True)
if options.code is not None:
    sys.exit(options.code)
stay()
