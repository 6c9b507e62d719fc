"""An agent that writes numbered lines and knows their checksum."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import termios
import time

words = argparse.ArgumentParser()
words.add_argument("lines", type=int)
words.add_argument("--checksum", help="file for {bytes, sha256} of what the log must hold, whole or not at all")
words.add_argument("--code", type=int, default=0)
words.add_argument("--width", type=int, default=0, help="pad each line to this length")
words.add_argument("--block", type=int, default=64, help="lines in one write")
words.add_argument("--until", default="", help="end before the next write once this file is there")
words.add_argument("--pause", type=float, default=0.0, help="seconds between two writes")
options = words.parse_args()


def line_end() -> bytes:
    """Return what the terminal makes of a line end."""
    try:
        output = termios.tcgetattr(1)[1]
    except termios.error:
        return b"\n"
    return b"\r\n" if output & termios.OPOST and output & termios.ONLCR else b"\n"


def write_all(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


end, digest, size = line_end(), hashlib.sha256(), 0
for first in range(0, options.lines, options.block):
    numbers = range(first, min(first + options.block, options.lines))
    lines = [f"{number:08d}".ljust(options.width, ".").encode() for number in numbers]
    write_all(b"".join(line + b"\n" for line in lines))
    shown = b"".join(line + end for line in lines)
    digest.update(shown)
    size += len(shown)
    if options.pause:
        time.sleep(options.pause)
    if options.until and os.path.exists(options.until):
        break
if options.checksum:
    with open(f"{options.checksum}.part", "w") as file:
        json.dump({"bytes": size, "sha256": digest.hexdigest()}, file)
    os.rename(f"{options.checksum}.part", options.checksum)
sys.exit(options.code)
