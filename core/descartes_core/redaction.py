"""Hide secrets in command lines and in sentences.

What is known to be secret by its name (`NAME_TOKEN=…`, `--api-key …`, `Authorization: …`, the password of a URL) or by
its shape (`sk-…`, `ghp_…`) is replaced by `***`. It is better to hide a word too many than one too few; a secret
that stands alone, without name or shape, cannot be told from any other word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

HIDDEN = "***"

#: How the secrets begin that are known by their shape, in lower case.
SHAPE_HINTS = (
    *("sk-", "ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "xox", "glpat-", "akia", "asia", "aiza"),
    *("sk_live_", "sk_test_", "rk_live_", "hf_", "npm_", "pypi-", "gsk_", "xai-", "ya29.", "eyj"),
)
#: What stands in the names of secrets.
NAMES = ("key", "token", "secret", "pass", "credential")
#: Without one of these there is nothing to hide, and no pattern is tried (nor made: a quick verb would pay for it).
HINTS = (*NAMES, "authorization", "bearer", "basic", "cookie", "://", *SHAPE_HINTS)
#: How the names of secrets end: `*_KEY`, `apiKey`, `*TOKEN`, `*SECRET`, `*PASSWORD`.
_NAME = r"(?:[-_]key|api_?key|token|secret|passwd|password|passphrase|[-_]pass|credentials?)"
_HEADER = r"\b(?:authorization|cookie)[\"']?\s{0,4}:\s{0,4}[\"']?"
#: A word as a shell reads it: quotes hold it together.
_WORD = r"""(?:"(?:[^"\\]|\\.)*(?:"|$)|'[^']*(?:'|$)|\\.|[^\s"'\\])+"""
#: A value of JSON, or of a dictionary as Python writes it.
_STRING = r"""(?:"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)|[^\s"',}\]]+)"""
#: What a scheme is followed by; shorter words are prose.
_CREDENTIAL = r"[\w.~+/=-]{8,}"
_SHAPES = (
    r"(?<![A-Za-z0-9])(?:sk-[\w-]{16,}|gh[opsu]_\w{20,}|ghr_\w{20,}|github_pat_\w{20,}|xox[abeprs]-[\w-]{10,}"
    r"|glpat-[\w-]{16,}|A(?:KI|SI)A[0-9A-Z]{16}|AIza[\w-]{30,}|(?:[sr]k_live|sk_test)_\w{16,}|hf_\w{30,}|npm_\w{30,}"
    r"|pypi-[\w-]{40,}|gsk_\w{30,}|xai-\w{30,}|ya29\.[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})"
)


def redact(command: Sequence[str]) -> list[str]:
    """Return a command's words without its secrets; their number stays the same."""
    words = tuple(command)
    return list(_remembered(words) if sum(map(len, words)) < _LONG else _shown(words))


def _shown(command: tuple[str, ...]) -> tuple[str, ...]:
    if not _may_hold("\0".join(command)):
        return command
    shown: list[str] = []
    is_value = False
    for word in command:
        shown.append(HIDDEN if is_value and not word.startswith("--") else _word(word))
        is_value = _is_option(word)
    return tuple(shown)


#: The same agents are listed again and again; a command line that has megabytes is not kept for that.
_remembered, _LONG = lru_cache(maxsize=4096)(_shown), 1024


def redact_text(text: str, known: Iterable[str] = ()) -> str:
    """Return a sentence without its secrets, and without those that are known by their value."""
    for secret in known:
        if secret:
            text = text.replace(secret, HIDDEN)
    if not _may_hold(text):
        return text
    for pattern in patterns():
        text = pattern.expression.sub(pattern.put, text)
    return text


def is_secret_name(name: str) -> bool:
    """Say whether what bears this name (a variable, an option, a key) is a secret."""
    return _compiled(_NAME + "$").search(name) is not None


def _may_hold(text: str) -> bool:
    lower = text.lower()
    return any(hint in lower for hint in HINTS)


def _word(word: str) -> str:
    """Return one word; all behind NAME= is its value, blanks too."""
    name, sign, value = word.partition("=")
    if sign and value and is_secret_name(name) and not re.search(r"\s", name):
        return f"{name}={HIDDEN}"
    return redact_text(word)


def _is_option(word: str) -> bool:
    return word.startswith("-") and "=" not in word and is_secret_name(word.lstrip("-")) and len(word) < 100


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


class Pattern(NamedTuple):
    """What is looked for in a text; group 1, where there is one, stays: what stands behind it is the secret."""

    expression: re.Pattern[str]
    put: str
    #: Without one of these, and without this sign, a text in lower case holds none: nothing is tried.
    hints: tuple[str, ...]
    sign: str = ""

    def may_be_in(self, lower: str) -> bool:
        """Say whether it is worth a try in this text, given in lower case."""
        return self.sign in lower and any(hint in lower for hint in self.hints)


_ADDRESS = ("://",)


@cache
def patterns() -> tuple[Pattern, ...]:
    """Return all that is looked for in a text; each runs in linear time."""
    shown = rf"\g<1>{HIDDEN}"

    def named(expression: str, hints: tuple[str, ...], sign: str = "") -> Pattern:
        return Pattern(_compiled(expression), shown, hints, sign)

    return (
        # An URL with a password, or with a long word in place of a user's name.
        named(r"(://[^\s/@:]*:)[^\s/]+(?=@)", _ADDRESS, "@"),
        named(r"(://)[^\s/@:]{20,}(?=@)", _ADDRESS, "@"),
        named(rf"(\b(?:bearer|basic)\s{{1,4}}){_CREDENTIAL}", ("bearer", "basic")),
        named(rf"({_HEADER}(?:\w+\s)?){_CREDENTIAL}[^\"'\r\n]*", ("authorization", "cookie"), ":"),
        # name = value, "name": value, X-Some-Key: value, --name value
        named(rf"((?:{_NAME}|[?&]key)[\"']?\s{{0,4}}=\s{{0,4}}){_WORD}", NAMES, "="),
        # A key of JSON is a name from quote to quote: '/etc/passwd': … is a place, and what is the matter with it.
        named(rf"([\"'][\w.-]{{0,60}}{_NAME}[\"']\s{{0,4}}:\s{{0,4}}){_STRING}", NAMES, ":"),
        named(r"(-(?:key|token|secret):\s{0,4})[^\s\"']+", NAMES, ":"),
        named(rf"((?<!\S)--?(?:\w[\w-]{{0,60}}[-_])?{_NAME.replace('[-_]', '-?')}\s{{1,4}}){_WORD}", NAMES, "-"),
        Pattern(re.compile(_SHAPES), HIDDEN, SHAPE_HINTS),
    )
