"""Addresses, targets, words and letters, one by one."""

from __future__ import annotations

import hashlib
import hmac
import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams
from descartes_core.events import CATEGORIES, TOLD
from descartes_daemon.hooks.addresses import Private, addresses_of, why_private
from descartes_daemon.hooks.choosing import checked, wants, word_of
from descartes_daemon.hooks.letter import letter_again, letter_of, seq_of, signature
from descartes_daemon.hooks.target import Target, shown

EVENT = {"seq": 7, "type": "AgentEvent", "event_type": "completed", "agent_id": "a", "data": {}}


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1"),
        # IPv4 in IPv6: mapped, compatible, 6to4, Teredo (server and client), NAT64.
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::169.254.169.254", "2002:7f00:1::", "2002:a00:1::"),
        *("2001:0:7f00:1::", "2001:0:808:808:0:0:80ff:fffe", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
        *("64:ff9b:1::a00:1", "100::1", "2001:2::1", "3fff::1"),
        # Translated; and where clouds tell of themselves.
        *("::ffff:0:127.0.0.1", "::ffff:0:a00:1", "192.0.0.192", "168.63.129.16"),
    ],
)
def test_an_address_that_is_not_public_is_known(address: str) -> None:
    assert why_private(address) is not None


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::", "64:ff9b::808:808"]
)
def test_a_public_address_may_be_posted_to(address: str) -> None:
    assert why_private(address) is None


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.1", "0177.0.0.1", "0x7f000001", "2130706433", "localhost", "ip6-localhost"])
async def test_a_name_and_a_number_oddly_spelt_are_looked_at_where_they_lead(host: str) -> None:
    try:
        found = await addresses_of(host, 80, allow_private=True)
    except OSError:
        pytest.skip(f"{host} leads nowhere here")
    assert all(why_private(address) for address in found)


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 300, ".."])
async def test_a_name_that_leads_nowhere_is_told_as_that(host: str) -> None:
    with pytest.raises(OSError, match="cannot be resolved"):
        await addresses_of(host, 80, allow_private=False)


@pytest.mark.anyio
async def test_a_name_with_one_private_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns a name may let it lead here, at times, or besides."""
    rows = [(2, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: rows)
    with pytest.raises(Private, match=r"shop\.example is 10\.0\.0\.7: a private address"):
        await addresses_of("shop.example", 80, allow_private=False)
    rows.pop()
    assert await addresses_of("shop.example", 80, allow_private=False) == ["93.184.216.34"]


def test_a_target_is_read() -> None:
    found = Target.read("https://u:p%3A@Example.COM:8443/a/b?c=d")
    assert (found.host, found.port, found.is_secure, found.path) == ("example.com", 8443, True, "/a/b?c=d")
    assert (found.authority, found.credentials) == ("example.com:8443", "dTpwOg==")
    plain = Target.read("http://[::1]?x")
    assert (plain.host, plain.port, plain.authority, plain.path) == ("::1", 80, "[::1]", "/?x")


@given(st.text(max_size=60) | st.text(max_size=40).map("http://{}".format))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    try:
        target = Target.read(text)
    except InvalidParams:
        return
    assert not set("\r\n ") & set(target.path + target.authority)
    assert shown(text)


def test_every_event_has_a_word_and_every_word_is_taken() -> None:
    words = [word_of({"type": kind.type, "event_type": kind.event_type}) for kind in TOLD]
    assert checked(words) == words
    assert checked([*CATEGORIES.values(), "*", "agent.*"])[-2:] == ["*", "agent.*"]


@pytest.mark.parametrize(
    ("on", "ids", "is_wanted"),
    [
        ([], [], True),
        (["*"], [], True),
        (["agent.*"], ["a"], True),
        (["agent.completed"], ["b"], False),
        (["agent.failed", "task.*"], [], False),
        ([], ["b"], False),
    ],
)
def test_what_is_wanted(on: list[str], ids: list[str], is_wanted: bool) -> None:
    assert wants(EVENT, on, ids) is is_wanted


def test_a_letter_is_the_same_again() -> None:
    letter = letter_of("h-1", "s", EVENT, (3, 6))
    assert letter_again("h-1", 7, letter.event, letter.body) == letter
    assert (letter.delivery, letter.gap, seq_of(letter.delivery, "h-1")) == ("h-1.7", "3-6", 7)
    assert [seq_of(text, "h-1") for text in ("h-2.7", "h-1.", "h-1.x", "h-1", "", "h-1." + "9" * 30)] == [None] * 6


def test_a_signature_is_that_of_timestamp_and_body() -> None:
    expected = hmac.new(b"key", b'12.{"a": 1}', hashlib.sha256).hexdigest()
    assert signature("key", 12, b'{"a": 1}') == f"sha256={expected}"
    headers = letter_of("h", "s", EVENT, None).headers("key", 12, 2)
    assert (headers["X-Descartes-Timestamp"], headers["X-Descartes-Attempt"]) == ("12", "2")
    assert "X-Descartes-Gap" not in headers


def test_a_daemon_without_hooks_loads_nothing_of_them() -> None:
    code = "import sys, descartes_daemon.main; print(*[name for name in sys.modules if 'daemon.hooks' in name], end='')"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == ""
