"""Fuzz one parser, or all: `python -m tests.fuzz NAME --seconds N`."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.fuzz.running import fuzz
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Run what was asked for; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=None, help="a number to do the same again")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if asked.seed is None else asked.seed
    if asked.name == "all":
        return _all(asked.seconds, seed)
    run = fuzz(TARGETS[asked.name], asked.seconds, seed)
    print(f"{asked.name}: {run.tried} inputs, {run.outcomes} outcomes, seed {seed}", flush=True)
    if run.finding is None:
        return 0
    run.finding.path.parent.mkdir(parents=True, exist_ok=True)
    run.finding.path.write_bytes(run.finding.data)
    print(run.finding)
    return 1


def _all(seconds: float, seed: int) -> int:
    def one(name: str) -> int:
        command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds), "--seed", str(seed)]
        return subprocess.run(command).returncode

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return max(pool.map(one, TARGETS))


if __name__ == "__main__":
    sys.exit(main())
