"""Events reach a hook in order, each at least once, whatever stands at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import (
    HookNotFound,
    InvalidParams,
    LimitReached,
    NameTaken,
    NotFound,
    Refused,
    Unavailable,
)
from descartes_core.ids import new_id
from descartes_daemon.hooks import worker
from descartes_daemon.unit import Unit
from tests.support import receiver
from tests.support.inside import PATIENCE, Inside, open_inside
from tests.support.receiver import Receiver, Taken, certificate, status

pytestmark = pytest.mark.anyio

#: Troubles pass as quickly as a test wants.
QUICK = {"first_pause": 0.01, "longest_pause": 0.05, "tries": 3, "timeout": 0.5, "command_timeout": 1.0}


@contextlib.asynccontextmanager
async def served(short: Path, identity: str = "", **numbers: Any) -> AsyncIterator[Inside]:
    """Open a daemon whose hooks are quick."""
    told = "\n".join(f"{key} = {json.dumps(value)}" for key, value in {**QUICK, **numbers}.items())
    (short / "home").mkdir(mode=0o700, exist_ok=True)
    (short / "home/config.toml").write_text(f"[hooks]\n{told}\n")
    async with open_inside(short, identity=identity) as inside:
        yield inside


async def tell(inside: Inside, *numbers: int, kind: str = "session_renamed") -> None:
    """Commit events, each with its number."""
    unit = Unit()
    for number in numbers:
        unit.event("SystemEvent", kind, None, {"number": number}, time.time())
    await inside.daemon.store.commit(unit)


async def add(inside: Inside, url: str, **more: Any) -> dict[str, Any]:
    reply: dict[str, Any] = await inside.call("hook.add", url=url, allow_private=True, **more)
    return reply


async def got(taker: Receiver, count: int) -> list[Taken]:
    """Wait, beside the daemon, for so many requests."""
    return await asyncio.to_thread(taker.count, count, PATIENCE)


def numbers(taken: list[Taken]) -> list[int]:
    return [one.event["data"]["number"] for one in taken if "number" in one.event["data"]]


async def hook(inside: Inside) -> dict[str, Any]:
    (only,) = (await inside.call("hook.list"))["hooks"]
    found: dict[str, Any] = only
    return found


async def until(inside: Inside, **wanted: Any) -> dict[str, Any]:
    """Wait until the only hook is as wanted: each look comes after an event or a turn of the loop."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await hook(inside)
            if {key: found[key] for key in wanted} == wanted:
                return found


async def failures(inside: Inside) -> list[dict[str, Any]]:
    events = (await inside.call("event.list"))["events"]
    return [event["data"] for event in events if event["event_type"] == "hook_failed"]


async def test_each_event_comes_once_in_order_signed_and_with_its_session(short: Path) -> None:
    with Receiver() as taker:
        async with served(short) as inside:
            added = await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, *range(50))
            taken = await got(taker, 50)
            assert numbers(taken) == list(range(50))
            assert all(one.is_signed_by(added["secret"]) for one in taken)
            first = taken[0]
            (same,) = (await inside.call("event.list", since=first.event["seq"] - 1, limit=1))["events"]
            assert first.event == {"session_id": inside.daemon.setup.record.id, **same}
            assert first.line == "POST /told HTTP/1.1"
            assert first.headers["x-descartes-event"] == "system.session_renamed"
            assert first.delivery == f"{added['hook']['hook_id']}.{first.event['seq']}"
            assert first.headers["x-descartes-attempt"] == "1"
            assert first.headers["host"] == f"localhost:{taker.port}"
            found = await until(inside, delivered=50)
            assert (found["state"], found["behind"], found["error"], found["dead"]) == ("waiting", 0, None, 0)


async def test_only_what_is_wanted_is_told(short: Path) -> None:
    with Receiver() as taker:
        async with served(short) as inside:
            agent = await inside.spawn(["true"])
            await inside.ended(agent["id"])
            other = await inside.spawn(["true"])
            await add(inside, taker.url, on=["agent.completed"], agent_ids=[other["id"]], since=0)
            (taken,) = await got(taker, 1)
            assert (taken.event["event_type"], taken.event["agent_id"]) == ("completed", other["id"])
            await tell(inside, *range(1500))  # passed over, and that is written down now and then
            await until(inside, behind=0)  # what it wrote down of that is in the store's queue by now
            await tell(inside, 1500)  # behind it
            row = (await inside.daemon.store.select("hooks"))[0]
            assert row["delivered_to"] > taken.event["seq"] + 900
    assert len(taker.taken) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (status(500, body=b"no room, token=abcdefgh12345"), "answered 500"),
        (status(302, "Location: http://localhost/elsewhere"), "answered 302 (redirects are not followed)"),
        (receiver.hangs, "no answer within 0.5 s"),
        (receiver.closes, "ended without an answer"),
        (receiver.says(b"SSH-2.0-OpenSSH_9.6\r\n"), "answered what is no HTTP"),
        (receiver.says(b"\0" * 200_000), "answered a line without end"),
        (receiver.says(b"HTTP/1.1 100 x\r\n" + b"A: b\r\n" * 20_000), "answered without end"),
    ],
)
async def test_what_fails_is_tried_again_and_nothing_overtakes_it(
    short: Path, answer: receiver.Answer, why: str
) -> None:
    with Receiver(answer, answer) as taker:
        async with served(short) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, 1, 2)
            taken = await got(taker, 4)
            assert numbers(taken) == [1, 1, 1, 2]
            assert len({one.delivery for one in taken[:3]}) == 1
            assert [one.headers["x-descartes-attempt"] for one in taken] == ["1", "2", "3", "1"]
            found = await until(inside, delivered=2)
            assert (found["error"], found["tries"], found["dead"]) == (why, 0, 0)
            assert "abcdefgh" not in json.dumps(found)
            assert await failures(inside) == []


@pytest.mark.parametrize(
    "answer",
    [
        receiver.floods,
        status(204),
        status(299),
        receiver.says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n"),
        receiver.says(b"HTTP/1.1 200\n\nbye"),
        receiver.says(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000),
        receiver.says(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"),
        receiver.says(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"),
    ],
)
async def test_a_status_of_success_is_enough(short: Path, answer: receiver.Answer) -> None:
    with Receiver(usual=answer) as taker:
        async with served(short) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, 1, 2)
            assert numbers(await got(taker, 2)) == [1, 2]
            assert (await until(inside, delivered=2))["error"] is None


async def test_after_so_many_tries_it_is_a_dead_letter_and_the_next_one_comes(short: Path) -> None:
    with Receiver(*[status(503)] * 6) as taker:
        async with served(short) as inside:
            added = await add(inside, taker.url, on=["system.*"])
            await tell(inside, 1, 2, 3)
            assert numbers(await got(taker, 7)) == [1, 1, 1, 2, 2, 2, 3]
            found = await until(inside, delivered=1, dead=2)
            (told,) = await failures(inside)
            assert (told["tries"], told["error"], told["disabled"]) == (3, "answered 503", False)
            assert told["hook_id"] == found["hook_id"]
            dead = (await inside.call("hook.deliveries"))["deliveries"]
            assert [json.loads(one["body"])["data"]["number"] for one in dead] == [1, 2]
            assert {one["tries"] for one in dead} == {3}
            assert (await inside.call("hook.list"))["hooks"] == [found]
            # Once more on request: in their order, with the delivery they had.
            reply = await inside.call("hook.retry", hook_id="localhost")
            assert reply["letters"] == 2
            taken = await got(taker, 9)
            assert numbers(taken)[-2:] == [1, 2]
            assert [one.delivery for one in taken[-2:]] == [one["delivery"] for one in dead]
            assert taken[-1].is_signed_by(added["secret"])
            await until(inside, delivered=3, dead=0)
            assert (await inside.call("hook.deliveries"))["deliveries"] == []


async def test_a_hook_is_told_of_others_failures_and_not_of_its_own(short: Path) -> None:
    with Receiver(usual=status(500)) as dead, Receiver() as taker:
        async with served(short) as inside:
            await add(inside, dead.url, on=["system.*"], name="dead")
            await add(inside, taker.url, on=["system.hook_failed"], name="alive")
            await tell(inside, 1, 2, 3)
            (told,) = await got(taker, 1)
            assert (told.event["data"]["name"], told.event["data"]["error"]) == ("dead", "answered 500")
            await got(dead, 12)  # the other's being added, and three more, three times each
            assert len(taker.taken) == 1
            assert not any(one.event["event_type"] == "hook_failed" for one in dead.taken)


async def test_dead_letters_are_bounded_and_paged(short: Path) -> None:
    with Receiver(usual=status(500)) as taker:
        async with served(short, tries=1, keep_dead=5) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, *range(9))
            await got(taker, 9)
            await until(inside, behind=0)
            first = await inside.call("hook.deliveries", limit=3)
            rest = await inside.call("hook.deliveries", limit=3, after=first["next"])
            kept = [json.loads(one["body"])["data"]["number"] for one in first["deliveries"] + rest["deliveries"]]
            assert kept == [4, 5, 6, 7, 8]
            assert rest["next"] is None
            one = first["deliveries"][1]["delivery"]
            assert (await inside.call("hook.retry", hook_id="localhost", delivery=one))["letters"] == 1
            taken = await got(taker, 10)
            assert taken[-1].delivery == one
            with pytest.raises(NotFound, match="no dead letter"):
                await inside.call("hook.retry", hook_id="localhost", delivery=one.rpartition(".")[0] + ".1")


async def test_gone_disables_until_somebody_tries_again_and_nothing_is_lost(short: Path) -> None:
    with Receiver(status(200), status(410)) as taker:
        async with served(short) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, 1, 2, 3)
            await got(taker, 2)
            found = await until(inside, state="disabled")
            (told,) = await failures(inside)
            assert (told["disabled"], told["error"]) == (True, "answered 410")
            await tell(inside, 4)
            assert len(taker.taken) == 2
            await inside.call("hook.retry", hook_id=found["hook_id"])
            assert numbers(await got(taker, 5)) == [1, 2, 2, 3, 4]
            assert (await until(inside, delivered=4))["state"] == "waiting"


async def test_what_was_removed_before_it_was_told_is_told_as_a_gap(short: Path) -> None:
    identity = new_id()
    with Receiver(usual=status(500)) as taker:
        async with served(short, identity, tries=1000) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, *range(20))
            await got(taker, 2)
        async with served(short, identity, tries=1000) as inside:
            since = (await hook(inside))["delivered_to"]
            await inside.daemon.store.commit(Unit().give_up_events(since + 10))
        taker.usual = status(200)
        async with served(short, identity) as inside:
            await until(inside, delivered=10)
            taken = [one for one in taker.taken if "x-descartes-gap" in one.headers]
            assert {one.headers["x-descartes-gap"] for one in taken} == {f"{since + 1}-{since + 10}"}
            assert taken[-1].event["gap"] == {"from": since + 1, "to": since + 10}
            assert taken[-1].event["seq"] == since + 11
            assert numbers(taker.taken)[-10:] == list(range(10, 20))
            assert "x-descartes-gap" not in taker.taken[-1].headers


async def test_the_next_daemon_goes_on_where_the_last_one_was(short: Path) -> None:
    identity = new_id()
    with Receiver(*[status(200)] * 3, usual=receiver.hangs) as taker:
        async with served(short, identity, timeout=60.0) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, *range(6))
            await got(taker, 4)
            began = time.monotonic()
        assert time.monotonic() - began < 5, "its end waits for no receiver"
        taker.usual = status(200)
        async with served(short, identity) as inside:
            assert numbers(await got(taker, 7)) == [0, 1, 2, 3, 3, 4, 5]
            await until(inside, delivered=6)


async def test_a_store_in_trouble_is_waited_for_and_nothing_is_told_twice(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_STORE_AGAIN", 0.01)
    with Receiver() as taker:
        async with served(short) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            store, tried = inside.daemon.store, asyncio.Event()
            commit, times = store.commit, iter(range(3))

            async def full(unit: Unit) -> list[dict[str, Any]]:
                if next(times, None) is not None:
                    raise Unavailable("no room")
                tried.set()
                return await commit(unit)

            await tell(inside, 1, 2)
            monkeypatch.setattr(store, "commit", full)
            await asyncio.wait_for(tried.wait(), PATIENCE)
            monkeypatch.undo()
            assert numbers(await got(taker, 2)) == [1, 2]
            await until(inside, delivered=2)


async def test_how_often_it_was_tried_outlives_a_daemon(short: Path) -> None:
    identity = new_id()
    with Receiver(usual=status(500)) as taker:
        async with served(short, identity, tries=5, first_pause=30.0, longest_pause=60.0) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, 1)
            await until(inside, tries=1)
            await inside.call("hook.retry", hook_id="localhost")  # waits for no pause
            await until(inside, tries=2)
        async with served(short, identity, tries=5, first_pause=30.0, longest_pause=60.0) as inside:
            found = await hook(inside)
            assert (found["state"], found["tries"]) == ("retrying", 2)
            assert found["next_try_at"] is not None
    assert len(taker.taken) == 2


async def test_a_hook_that_is_dead_keeps_no_other_waiting(short: Path) -> None:
    with Receiver(usual=receiver.hangs) as dead, Receiver() as taker:
        async with served(short, timeout=60.0, at_once=4) as inside:
            for number in range(3):
                await add(inside, dead.url, name=f"dead {number}")
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, *range(20))
            assert numbers(await got(taker, 20)) == list(range(20))
            assert len(dead.taken) == 3


async def test_a_repeat_of_adding_adds_nothing_and_a_secret_is_told_once(short: Path) -> None:
    with Receiver() as taker:
        async with served(short) as inside:
            same = new_id()
            first = await add(inside, taker.url, secret="sixteen letters!".replace(" ", "-"), request_id=same)
            assert await add(inside, taker.url, secret="sixteen-letters!", request_id=same) == first
            assert "sixteen-letters!" not in json.dumps(await inside.call("hook.list"))
            assert "sixteen-letters!" not in json.dumps(await inside.call("event.list"))
            again = new_id()
            gone = await inside.call("hook.remove", hook_id=first["hook"]["hook_id"][:8], request_id=again)
            assert await inside.call("hook.remove", hook_id="whatever", request_id=again) == gone
            assert (await inside.call("hook.list"))["hooks"] == []
            with pytest.raises(HookNotFound, match="no hook is called 'localhost'"):
                await inside.call("hook.remove", hook_id="localhost")
            words = [event["event_type"] for event in (await inside.call("event.list"))["events"]]
            assert words[-2:] == ["hook_added", "hook_removed"]


async def test_what_looks_like_a_secret_is_shown_nowhere(short: Path, caplog: pytest.LogCaptureFixture) -> None:
    secrets = ["pass0word", "T024F8S8W9Y2abcd", "querysecret1"]
    url = f"http://user:{secrets[0]}@localhost:9/services/{secrets[1]}?auth={secrets[2]}"
    async with served(short, tries=1) as inside:
        await add(inside, url, on=["system.session_renamed"])
        await tell(inside, 1)
        found = await until(inside, dead=1)
        assert found["url"] == "http://***@localhost:9/services/***?auth=***"
        shown = json.dumps([found, await inside.call("event.list"), caplog.text])
        assert not [secret for secret in secrets if secret in shown]


async def test_what_a_receiver_repeats_of_the_address_is_hidden_too(short: Path) -> None:
    keys = ["pass0word", "T024F8S8W9Y2abcd", "querysecret1", "bareword"]
    echo = status(404, body=f"Cannot POST /services/{keys[1]}?auth={keys[2]}&{keys[3]} {'x' * 880} {keys[1]}".encode())
    with Receiver(usual=echo) as taker:
        async with served(short) as inside:
            place = taker.url.removeprefix("http://").partition("/")[0]
            await add(inside, f"http://user:{keys[0]}@{place}/services/{keys[1]}?auth={keys[2]}&{keys[3]}", since=0)
            await got(taker, 2)
            found = await hook(inside)
            assert found["url"].endswith("/services/***?auth=***&***")
            assert found["output"].startswith("Cannot POST /services/***?auth=***&*** xx")
            assert not [key for key in keys if key[:9] in json.dumps(found)]


async def test_user_and_password_are_sent_as_http_does(short: Path) -> None:
    with Receiver() as taker:
        async with served(short) as inside:
            await add(inside, taker.url.replace("//", "//me:p%40ss@") + "?a=b", on=["system.session_renamed"])
            await tell(inside, 1)
            (taken,) = await got(taker, 1)
            assert taken.headers["authorization"] == "Basic bWU6cEBzcw=="
            assert taken.line == "POST /told?a=b HTTP/1.1"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "begins with http"),
        ("http:///x", "begins with http"),
        ("example.com", "begins with http"),
        ("http://example.com:99999/", "no url"),
        ("http://example.com:0/", "port 0"),
        ("http://example.com/#x", "fragment"),
        ("http://example.com/a b", "without blanks"),
        ("http://example.com/\r\nX-Evil: 1", "without blanks"),
        ("http://exämple.com/", "ASCII"),
        ("http://example.com\\@localhost/", "without blanks"),
        ("http://[::1/", "no url"),
        ("http://shop[::1]/", "begins with http"),
    ],
)
async def test_what_is_no_url_is_refused(short: Path, url: str, why: str) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(InvalidParams, match=why):
            await add(inside, url)


@pytest.mark.parametrize("word", ["agent.complete", "agents.*", "agent.attach", "tasks"])
async def test_a_word_that_fits_no_event_is_refused_and_the_right_ones_are_named(short: Path, word: str) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(InvalidParams, match="fits no event"):
            await add(inside, "http://localhost/", on=["agent.completed", word])


async def test_there_are_so_many_hooks_and_each_name_once(short: Path) -> None:
    async with served(short, max_hooks=3) as inside:
        for _ in range(2):
            await add(inside, "http://localhost:9/")
        assert [one["name"] for one in (await inside.call("hook.list"))["hooks"]] == ["localhost", "localhost-2"]
        with pytest.raises(NameTaken):
            await add(inside, "http://localhost:9/", name="localhost")
        await add(inside, "http://localhost:9/", name="third")
        with pytest.raises(LimitReached, match=r"hooks\.max_hooks"):
            await add(inside, "http://localhost:9/")


async def test_who_is_added_at_the_same_time_counts_too(short: Path) -> None:
    async with served(short, max_hooks=3) as inside:
        adding = [add(inside, "http://localhost:9/", name=name) for name in ("a", "a", "b", "c", "d")]
        outcomes = await asyncio.gather(*adding, return_exceptions=True)
        refused = [one for one in outcomes if isinstance(one, BaseException)]
        assert [type(one) for one in refused if not isinstance(one, LimitReached | NameTaken)] == []
        names = [one["name"] for one in (await inside.call("hook.list"))["hooks"]]
        assert (len(names), len(set(names)), len(refused)) == (3, 3, 2)


async def test_who_asks_for_another_try_while_none_is_found_is_not_forgotten(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver(*[status(500)] * 4) as taker:
        async with served(short, tries=1) as inside:
            await add(inside, taker.url, on=["system.session_renamed"])
            await tell(inside, 1)
            await until(inside, dead=1)
            select, asked = inside.daemon.store.select, []

            async def late(query: str, **params: Any) -> Any:
                found = await select(query, **params)
                if query == "dead_letters_again" and not found and len(asked) < 2:
                    asked.append(await inside.call("hook.retry", hook_id="localhost"))
                return found

            monkeypatch.setattr(inside.daemon.store, "select", late)
            await inside.call("hook.retry", hook_id="localhost")
            assert numbers(await got(taker, 4)) == [1, 1, 1, 1]


@pytest.mark.parametrize("since", [10**6, 2**62])
async def test_a_cursor_of_the_future_is_refused(short: Path, since: int) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(InvalidParams, match="beyond the newest event"):
            await add(inside, "http://localhost/", since=since)


async def test_a_private_place_is_refused_unless_it_is_meant(short: Path) -> None:
    with Receiver() as taker:
        async with served(short) as inside:
            for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]"):
                with pytest.raises(Refused, match="allow_private"):
                    await inside.call("hook.add", url=f"http://{host}:{taker.port}/")
            assert (await inside.call("hook.list"))["hooks"] == []
            # What leads elsewhere later is looked at again, at every try.
            await add(inside, taker.url, on=["system.session_renamed"])
            inside.daemon.rooms.hooks.open()._workers[(await hook(inside))["hook_id"]][0].hook.allow_private = False
            await tell(inside, 1)
            found = await until(inside, dead=1)
            assert "loopback address: not posted without allow_private" in found["error"]
    assert taker.taken == []


async def test_a_certificate_is_checked(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from descartes_daemon.hooks import posting

    with certificate(short) as (file, context), Receiver(tls=context) as taker:
        for authorities, dead in (("/dev/null", 1), (str(file), 0)):
            monkeypatch.setenv("SSL_CERT_FILE", authorities)
            posting.tls.cache_clear()
            async with served(short, tries=1, timeout=5.0) as inside:
                await add(inside, taker.url, on=["system.session_renamed"])
                await tell(inside, 1)
                if dead:
                    assert "TLS failed: self-signed certificate" in (await until(inside, dead=1))["error"]
                    assert taker.taken == []
                else:
                    await until(inside, delivered=1)
    posting.tls.cache_clear()
    assert numbers(taker.taken) == [1]
