from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import all_errors
from descartes_core.redaction import HIDDEN, is_secret_name, redact, redact_text

#: Nothing of this stands in any name or option here, so that finding it means that it leaked.
SECRET = "zQ9-vW8_xY7"

secrets = st.text(string.ascii_letters + string.digits + "_.+/~%^,;:!?@#$&*(){}[]<>|", min_size=1, max_size=30).map(
    lambda text: f"{SECRET}{text}"
)
names = st.sampled_from(
    [
        "OPENAI_API_KEY",
        "GH_TOKEN",
        "token",
        "client_secret",
        "PGPASSWORD",
        "My-Key",
        "apiKey",
        "DB_PASS",
        "AWS_CREDENTIALS",
    ]
)
plain = st.sampled_from(["claude", "-v", "--max-tokens", "100", "go on", "x=1", "/usr/bin/env", "--", "", "MONKEY=3"])


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["claude", "--api-key", "x", "go"], ["claude", "--api-key", HIDDEN, "go"]),
        (["claude", "--token=x", "go"], ["claude", f"--token={HIDDEN}", "go"]),
        (["claude", "--apiKey", "x"], ["claude", "--apiKey", HIDDEN]),
        (["env", "A_KEY=x y z", "B=2"], ["env", f"A_KEY={HIDDEN}", "B=2"]),
        (["sh", "-c", "B=2 A_TOKEN='x y'z go"], ["sh", "-c", f"B=2 A_TOKEN={HIDDEN} go"]),
        (["curl", "-H", "Authorization: Bearer abcdefgh.i"], ["curl", "-H", f"Authorization: Bearer {HIDDEN}"]),
        (["curl", "-H", "Authorization: Digest abcdefgh"], ["curl", "-H", f"Authorization: Digest {HIDDEN}"]),
        (["curl", "-H", "X-Api-Key: x"], ["curl", "-H", f"X-Api-Key: {HIDDEN}"]),
        (["git", "clone", "https://me:p@ss@h.org/x"], ["git", "clone", f"https://me:{HIDDEN}@h.org/x"]),
        (["curl", "https://h.org/?key=x"], ["curl", f"https://h.org/?key={HIDDEN}"]),
        (["x", '{"A_KEY": "x", "b": 1}'], ["x", f'{{"A_KEY": {HIDDEN}, "b": 1}}']),
        (["x", "sk-ant-0123456789abcdef"], ["x", HIDDEN]),
        (["x", "https://ghp_0123456789abcdefghij@github.com"], ["x", f"https://{HIDDEN}@github.com"]),
        (["sh", "-c", "claude --token x --verbose"], ["sh", "-c", f"claude --token {HIDDEN} --verbose"]),
    ],
)
def test_what_is_secret_by_name_or_shape_is_hidden(command: list[str], shown: list[str]) -> None:
    assert redact(command) == shown


@pytest.mark.parametrize(
    "command",
    [
        ["claude", "--max-tokens", "100"],
        ["sort", "--key", "2"],
        ["claude", "--token", "--verbose"],
        ["git", "clone", "ssh://git@github.com/x", "http://127.0.0.1:80/a@b"],
        ["python", "-c", "print('keyboard, author, passing')", "monkey=3"],
        ["make", "--token="],
        [],
    ],
)
def test_the_rest_stays_as_it_is(command: list[str]) -> None:
    assert redact(command) == command


@given(
    st.lists(plain, max_size=4),
    st.lists(st.tuples(st.integers(0, 5), names, secrets), min_size=1, max_size=4),
    st.lists(plain, max_size=4),
)
def test_no_secret_is_left_and_nothing_moves(
    before: list[str], planted: list[tuple[int, str, str]], after: list[str]
) -> None:
    command = [*before]
    for way, name, secret in planted:
        command += {
            0: [f"{name}={secret}"],
            1: [f"--{name.strip('-').lower().replace('_', '-')}", secret],
            2: [f"--{name}={secret}"],
            3: ["sh", "-c", f"cd x; {name}={secret} claude go"],
            4: ["-H", f"Authorization: Bearer {SECRET}"],
            5: [f"https://me:{SECRET}@example.org/x"],
        }[way]
    shown = redact([*command, *after])
    assert SECRET not in "\0".join(shown)
    assert len(shown) == len(command) + len(after)
    assert shown[: len(before)] == before
    assert redact(shown) == shown


@given(st.lists(st.text(max_size=40), max_size=6))
def test_any_command_can_be_shown(command: list[str]) -> None:
    shown = redact(command)
    assert len(shown) == len(command)
    assert redact(shown) == shown


@given(st.text(max_size=200), secrets)
def test_a_value_that_is_known_is_hidden_wherever_it_stands(text: str, secret: str) -> None:
    assert secret not in redact_text(f"{text}{secret}{text}", [secret])


def test_no_error_of_ours_is_taken_for_a_secret() -> None:
    sentences = [(error.__doc__ or "").strip() for error in all_errors()]
    assert [redact_text(sentence) for sentence in sentences] == sentences


def test_names_of_secrets_are_known_by_their_ends() -> None:
    secret = ["A_KEY", "a-key", "apikey", "TOKEN", "gh_token", "ClientSecret", "PGPASSWORD", "DB_PASS", "passphrase"]
    assert [name for name in secret if not is_secret_name(name)] == []
    assert [name for name in ("KEY", "MONKEY", "max_tokens", "PATH", "PASSAGE", "") if is_secret_name(name)] == []


@pytest.mark.parametrize(
    "piece",
    ["a", "token=", "-", '"', "token=\\", "://", "://a:", "--a-", "bearer ", " ", "Authorization: ", "token='", "sk-"],
)
def test_no_text_takes_long(piece: str) -> None:
    """Four times the text takes some four times as long, not sixteen."""
    took = []
    for size in (50_000, 200_000):
        text = f"token {piece * (size // len(piece))}"
        began = time.perf_counter()
        redact_text(text)
        took.append(time.perf_counter() - began)
    assert took[1] < max(9 * took[0], 0.5), took


def test_a_place_is_no_secret() -> None:
    told = "cannot run '/etc/passwd': Permission denied"
    assert redact_text(told) == told
