"""A real terminal with a person's shell in it, driven by tmux."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.support.person import Person
from tests.support.programs import COMMANDS
from tests.support.waiting import wait_until

#: A machine under load paints late.
DEADLINE = 20.0
IS_THERE = shutil.which("tmux") is not None


class Tmux:
    """One window of one tmux server, with a plain shell in it."""

    def __init__(self, person: Person) -> None:
        self._directory = person.directory

    def begin(self, columns: int = 80, rows: int = 24) -> None:
        """Open the window and wait for the shell's prompt."""
        environment = {**os.environ, "PATH": f"{COMMANDS}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "PS1": "$ "}
        self._call("new-session", "-d", "-x", columns, "-y", rows, "env -u ENV PS1='$ ' sh", env=environment)
        # What is shown comes without the spaces at the ends of lines.
        self.see("$")

    def enter(self, *words: object) -> None:
        """Type a line and press Enter."""
        self.type(" ".join(map(str, words)))
        self.press("Enter")

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._call("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names, e.g. C-c."""
        self._call("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self._call("resize-window", "-x", columns, "-y", rows)

    def screen(self) -> str:
        """Return what is shown now."""
        return self._call("capture-pane", "-p")

    def see(self, text: str) -> str:
        """Wait until this is shown and return the screen."""
        wait_until(lambda: text in self.screen(), f"{text!r} on the screen", DEADLINE)
        return self.screen()

    def clear(self) -> None:
        """Empty the screen of the shell, so that old text is not taken for new."""
        self.enter("clear")
        wait_until(lambda: self.screen().strip() == "$", "an empty screen", DEADLINE)

    def modes(self, mark: str) -> str:
        """Let the shell tell the modes of its terminal; each time with a mark of its own."""
        told = self._directory / f"stty-{mark}"
        self.enter(f"stty -a > {told}.part && mv {told}.part {told}")
        wait_until(told.exists, "the terminal's modes", DEADLINE)
        return told.read_text()

    @property
    def is_alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        return self._call("display-message", "-p", "#{alternate_on}").strip() == "1"

    @property
    def size(self) -> str:
        """Return rows and columns of what programs have of the window, as stty tells them."""
        return self._call("display-message", "-p", "#{pane_height} #{pane_width}").strip()

    def flags(self) -> str:
        """Return what else a program may have switched on or off, as tmux tells it."""
        names = ("cursor_flag", "keypad_cursor_flag", "keypad_flag", "mouse_any_flag", "insert_flag")
        return self._call("display-message", "-p", " ".join(f"{name}=#{{{name}}}" for name in names)).strip()

    def close(self) -> None:
        """End the server and everything in its window."""
        self._call("kill-server", check=False)

    @property
    def _socket(self) -> Path:
        return self._directory / "tmux.sock"

    def _call(self, *words: object, check: bool = True, env: dict[str, str] | None = None) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *map(str, words)]
        done = subprocess.run(command, cwd=self._directory, env=env, capture_output=True, text=True, timeout=DEADLINE)
        assert not check or done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
        return done.stdout
