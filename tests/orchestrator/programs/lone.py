"""A lone daemon's outside: a run file, a socket, a manner of ending.

Words: HOME SESSION-ID WORKSPACE MANNER. Manners: orderly (ends when asked), refusing (agents are alive), broken (an
internal error), mute (takes connections and says nothing), deaf (mute, and does not hear TERM).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from descartes_core.errors import AgentsAlive, DescartesError
from descartes_core.jsonrpc import call_of, parse, refusal, reply
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_local.home import Home
from descartes_local.processes import process_of
from descartes_local.run_file import RunFile, remove_run_file, write_run_file
from descartes_local.session_file import save

home, session, workspace, manner = Home(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
record = SessionRecord(session, "lone", str(workspace), "2025-12-04T20:14:07.123456Z", status=State.ACTIVE)
me = process_of(os.getpid())
assert me is not None

if manner == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
home.make()
listener = socket.socket(socket.AF_UNIX)
listener.bind(str(home.daemon_socket(session)))
listener.listen()
where = ("http://127.0.0.1:1", "ws://127.0.0.1:2", str(home.daemon_socket(session)), record.created_at, "0")
write_run_file(home, RunFile(session, "lone", str(workspace), me.pid, me.started, session, *where))
save(workspace, record)
if len(sys.argv) > 5:  # an agent of its own, which only a walk over the tree finds
    agent = subprocess.Popen(sys.argv[5:], stdout=subprocess.PIPE, start_new_session=True)
    assert agent.stdout is not None
    agent.stdout.readline()
    print(agent.pid)
print("ready", flush=True)

held = []
while True:
    connection, _ = listener.accept()
    held.append(connection)
    line = connection.makefile("rb").readline()
    if not line or manner in ("mute", "deaf"):
        continue
    asked = call_of(parse(line))
    print(json.dumps(asked.params), flush=True)
    if manner == "refusing" and not asked.params["force"]:
        connection.sendall(refusal(asked.id, AgentsAlive("1 agent is alive: fixer")))
    elif manner == "broken":
        connection.sendall(refusal(asked.id, DescartesError("internal error")))
    else:
        connection.sendall(reply(asked.id, {"ended": ["fixer"]}))
        save(workspace, SessionRecord(session, "lone", str(workspace), record.created_at))
        remove_run_file(home, session)
        os.unlink(home.daemon_socket(session))
        sys.exit(0)
