"""What stands before the methods on their page: HTTP, the counters, and the original's methods."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tables import table

from descartes_core.errors import all_errors
from descartes_core.jsonrpc import MOST_VALUES
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_core.methods import METHODS
from descartes_core.openapi import UNIX_ONLY
from descartes_daemon.calling import PATIENT, WAITING
from descartes_daemon.counts import Counts
from descartes_daemon.exposition import families
from descartes_daemon.rpc_http import LARGEST_BATCH
from descartes_daemon.safety import LARGEST_HEAD, MOST_HEADERS
from descartes_local.config_sections import Server

_SERVER = Server()


def _words(names: frozenset[str]) -> str:
    *most, last = (f"`{name}`" for name in sorted(names))
    return f"{', '.join(most)} and {last}"


PATHS = (
    ("`POST /rpc/METHOD`", "the method's parameters as an object, or nothing", "its reply", "yes"),
    ("`POST /rpc`", "JSON-RPC 2.0: one call, or an array of them", "the answer, an array, or nothing (204)", "yes"),
    ("`GET /health`", "", "the reply of `system.health`: 200, or 503 where `status` says what is wrong", "no"),
    ("`GET /stats`", "", "the reply of `system.stats`", "yes"),
    ("`GET /metrics`", "", "[counters](#counters) in Prometheus' text format 0.0.4", "yes"),
    ("`GET /openapi.json`", "", "all of this as OpenAPI 3.1", "yes"),
    ("`POST /shutdown`", "parameters of `system.shutdown`, or nothing", "its reply", "yes"),
)

HTTP = f"""## Over HTTP

```sh
TOKEN=$(cat ~/.descartes/token) URL=$(descartes sessions show --json | jq -r .http_endpoint)
curl -s $URL/health
curl -s $URL/rpc/agent.list -X POST -H "Authorization: Bearer $TOKEN"
curl -s $URL/rpc/agent.stop -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
     -d '{{"agent_id": "fixer", "grace": 5, "request_id": "6a1f0c2e"}}'
```

{table(("path", "body", "answer", "token"), PATHS)}
**A request** names the daemon in `Host` (`127.0.0.1`, `localhost` or `[::1]`, with the port), shows the token as
`Authorization: Bearer TOKEN` and never in its address, and has no `Origin` but one of these. A body is JSON
(`Content-Type: application/json`), of at most {LARGEST_MESSAGE} bytes (`server.max_message`) and
{_SERVER.max_nesting} levels (`server.max_nesting`) and {MOST_VALUES} values, with one length: `Content-Length` or
chunks, not both. The head has at most {LARGEST_HEAD} bytes and {MOST_HEADERS} lines. There is no CORS: pages
of elsewhere are refused.

**An answer** of `/rpc/METHOD` is the reply itself with 200, or `{{"error": {{"code", "message", "data": {{"code",
"status"}}}}}}` with the error's HTTP status; look at `error.data.code`. `/rpc` answers 200 whatever came of the call,
as JSON-RPC says; what is refused before it is read (token, Host, Origin, content type, size) has its HTTP status
there too.

**JSON-RPC 2.0** is meant strictly. `jsonrpc` is exactly `"2.0"`; `id` is a string, a number or null, and comes back
as it was sent; without `id` it is a notification, which is done and never answered, not even by an error; `params` is
an object or left out (an array is `-32602`: parameters have names here); an array has 1 to {LARGEST_BATCH} calls,
done in order and answered by an array without its notifications, or by 204 where nothing is left; what is no call
within an array is answered with `id` null, and the others are done. Once the answers of an array have more than
{LARGEST_MESSAGE} bytes, what would be answered is not done, and told as `too_large`: call it by itself. No method
begins with `rpc.`.

**Time.** A call may take {_SERVER.request_timeout:g} s (`server.request_timeout`); then it is answered
`deadline_over`, and what changes something goes on: ask again with the same `request_id`. {_words(WAITING)} wait as
long as they are told to, and are given up when their client goes away; {_words(PATIENT)} have deadlines of their own.
A client has {_SERVER.read_timeout:g} s for the head of a request, and as long again whenever it sends more of the
body (`server.read_timeout`); between requests a connection is kept for {_SERVER.idle_timeout:g} s
(`server.idle_timeout`).

**Connections.** {_SERVER.max_connections} may be busy at once (`server.max_connections`; WebSockets are), then a
request is answered 503 `limit_reached`, but for `/health`. All bodies under way together may have four times
`server.max_message`: then the largest is answered 429 or, where it is not the one that goes on, cut off. Those that
say nothing are in nobody's way: the oldest of them leaves when there is no room.
Without the token {_SERVER.max_strangers} requests a second are answered, all strangers together
(`server.max_strangers`), then 429 `limit_reached`; who shows the token is not counted. Who takes no more of an answer
for 60 s is cut off.

**Statuses.** Of each error, [errors](errors.md) has all:

"""

SEED = (
    (
        "`agent.spawn` {name, agent_type, config}",
        "[`agent.spawn`](#agentspawn): a command line, no type",
    ),
    ("`agent.list`", "[`agent.list`](#agentlist)"),
    ("`agent.kill` {agent_id, force}", "[`agent.stop`](#agentstop) asks first; [`agent.kill`](#agentkill) is `force`"),
    (
        "`agent.logs` {limit, offset}",
        "[`agent.output`](#agentoutput): bytes from an offset, or lines by `filter`; it has no levels",
    ),
    ("`agent.pause`, `agent.resume`", "[`agent.pause`](#agentpause), [`agent.resume`](#agentresume)"),
    (
        "`agent.attach.request`, `.validate`, `.revoke`",
        "[`agent.attach`](#agentattach), and the [terminal WebSocket](protocol.md): no token of its own",
    ),
    (
        "`workflow.execute`",
        "none: empty there too. `agent.spawn` starts, [`agent.batch`](#agentbatch) leads many; tasks come later",
    ),
    (
        "`state.query` {agent_id, key}",
        "[`agent.get`](#agentget), [`session.info`](#sessioninfo), [`event.list`](#eventlist); history comes later",
    ),
    ("`system.health`", "[`system.health`](#systemhealth), and `GET /health` without the token"),
    (
        "`system.metrics`",
        "[`system.stats`](#systemstats) as JSON, [`system.metrics`](#systemmetrics) as Prometheus has it",
    ),
    (
        "`chat.create`, `.start`, `.prompt`, `.stop`, `.list`",
        "it is one: `agent.spawn`, [`agent.write`](#agentwrite) with `paste`, `enter`; `agent.stop`, `agent.list`",
    ),
    ("`chat.upgrade_to_agent`", "none: it is one from the beginning"),
    ("`swank.restart`", "none: a Lisp is a program like another: `agent.stop`, then `agent.spawn`"),
    ("`spawn` (Unix socket)", "`agent.spawn`"),
    ("`list_tasks`", "`agent.list`; tasks of SCUD come later"),
    ("`approve` {task_id, approved}", "`agent.write`: the agent that asks is answered in its terminal"),
    ("`get_state` {entity_id}", "`agent.get`, `session.info`"),
    ("`GET` of any path: name, version, methods", "`GET /openapi.json`"),
)


def http_part() -> str:
    """Return what comes before the methods."""
    by_status: dict[int, list[str]] = {}
    for error in all_errors():
        by_status.setdefault(error.status, []).append(f"[`{error.code}`](errors.md#{error.code})")
    statuses = table(
        ("status", "codes"), ((str(status), ", ".join(codes)) for status, codes in sorted(by_status.items()))
    )
    alone = "; ".join(f"`{name}` is for the Unix socket" for name in sorted(UNIX_ONLY))
    return f"{HTTP}{statuses}\nEvery method has its path, but {alone}.\n"


def counters_part() -> str:
    """Return the list of all counters."""
    stats: dict[str, Any] = dict.fromkeys(METHODS["system.stats"].reply.model_fields, 0)
    stats |= {"agents": {}, "connections": {}, "usage": {"living": defaultdict(int), "ended": defaultdict(int)}}
    stats["bus"] = defaultdict(int)
    rows = [
        (f"`{family.name}{'_total' if family.type == 'counter' else ''}`", family.type, family.documentation)
        for family in families(stats, Counts(), 0, 0)
    ]
    return (
        "## Counters\n\n"
        "`GET /metrics` on the HTTP port wants the token (`authorization: {credentials_file: …}`). With "
        "`server.metrics_port` they are on a port of their own besides, on the loopback address, without a token and "
        "without anything else; of several sessions that are told the same port the first one has it. Counters begin "
        "anew with each daemon, but those of the session (events, starts, what was typed). Methods that wait on "
        "purpose are in the last buckets.\n\n" + table(("name", "kind", ""), rows)
    )


def seed_part() -> str:
    """Return where the original's methods are."""
    return "## The original's methods\n\n" + table(("there", "here"), SEED)
