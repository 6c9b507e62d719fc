"""One of each message of the bus, with every field set to something that is not its default."""

from __future__ import annotations

from typing import get_args

from descartes_core.bus import messages as m

AGENT_ID = "5d3e1c9a-0000-4000-8000-000000000001"
ASKED = "5d3e1c9a-0000-4000-8000-00000000000a"
KEY = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
AT = "2026-11-21T20:48:57.123456Z"
#: Beyond 32 bits, so that the wire shows how it tells such a number.
FAR = 5_000_000_000

CONFIG = m.AgentConfig(
    name="trainer",
    model_backend="claude-code-cli",
    task="train it",
    context="a shop",
    system_prompt="be kind",
    environment={"LANG": "C.UTF-8"},
    agent_id=AGENT_ID,
    command=("sh", "-c", "echo hi"),
    cwd="/home/ada/shop",
    tty=False,
    rows=50,
    cols=132,
    grace=2.5,
    stop_signal="HUP",
    leave=True,
    umask=0o077,
    limits={"memory": 2**31, "cpus": 1.5},
)
AGENT = m.AgentInfo(
    id=AGENT_ID,
    name="trainer",
    status="paused",
    model_backend="claude-code-cli",
    started_at=AT,
    task="train it",
    paused_at=AT,
    pause_mode="forced",
    attach_info={"connect_url": "ipc:///nowhere"},
    session_id="5d3e1c9a-0000-4000-8000-000000000002",
    host="big",
    pid=4711,
    command=("sh", "-c", "echo hi"),
    cwd="/home/ada/shop",
    tty=False,
    rows=50,
    cols=132,
    ended_at=AT,
    exit_code=-1,
    signal="SIGKILL",
    cause="pause_asked",
    evidence="it was asked",
    notice="disk full",
    limited_by="cgroup",
    ended_by="limit: memory 2.1G > 2G",
    usage={"cpu_seconds": 0.25},
    stdout_bytes=FAR,
    stderr_bytes=17,
    stdout_from=4,
    stderr_from=5,
    is_gone=True,
)
PEER = m.Peer(
    name="big",
    role="runner",
    state="connected",
    key=KEY,
    generation=FAR,
    since=AT,
    last_heard=AT,
    version="0.1.0",
    title="shop",
    labels=("gpu", "größer"),
    capacity=100,
    agents=3,
    load=0.75,
    is_draining=True,
    updates=True,
)

ONE_OF_EACH: tuple[m.Message, ...] = (
    m.SpawnRequest(request_id=ASKED, config=CONFIG, timeout_secs=30.0, metadata={"ticket": 7}),
    m.SpawnResponse(
        request_id=ASKED, success=True, agent_info=AGENT, error="no room", server_id="hub-1", code="limit_reached"
    ),
    m.ControlCommand(
        request_id=ASKED, agent_id=AGENT_ID, command_type="write_stdin", payload={"data": b"ls\r", "at": FAR}
    ),
    m.CommandResponse(
        request_id=ASKED,
        agent_id=AGENT_ID,
        success=False,
        status="running",
        data={"written": 3, "data": b"\x00\xff"},
        error="at 9 of 3",
        code="conflict",
    ),
    m.StatusUpdate(
        agent_id=AGENT_ID,
        update_type="status_changed",
        status="paused",
        message="it was asked",
        data={"was": "running"},
        timestamp=AT,
        agent_info=AGENT,
    ),
    m.ListAgentsRequest(request_id=ASKED, filter_status="running", limit=10, agent_ids=(AGENT_ID,)),
    m.ListAgentsResponse(request_id=ASKED, success=True, agents=(AGENT,), error="no", code="refused"),
    m.HealthCheckRequest(request_id=ASKED),
    m.HealthCheckResponse(
        request_id=ASKED,
        healthy=True,
        protocol_version="1.0.0",
        uptime_secs=12.5,
        active_agents=3,
        metadata={"server_id": "hub-1", "endpoint": "tcp://0.0.0.0:5555", "max_agents": 100},
    ),
    m.BatchControlCommand(
        request_id=ASKED, agent_ids=(AGENT_ID, "other"), command_type="stop", payload={"grace": 1}, fail_fast=True
    ),
    m.BatchControlResponse(
        request_id=ASKED,
        results=(
            m.BatchResult(agent_id=AGENT_ID, success=True, status="terminated", error="no", code="agent_not_found"),
        ),
        success=False,
        successful=1,
        failed=0,
        error="no",
        code="refused",
    ),
    m.CustomActionRequest(
        request_id=ASKED, agent_id=AGENT_ID, action="resize", params={"rows": 50, "cols": 132}, timeout_secs=5.0
    ),
    m.OutputQueryRequest(request_id=ASKED, agent_id=AGENT_ID, stream="stderr", filter="err.*", limit=10, offset=20),
    m.OutputQueryResponse(
        request_id=ASKED,
        agent_id=AGENT_ID,
        success=True,
        lines=("error: ünknown",),
        total_lines=21,
        has_more=True,
        error="no",
        code="refused",
    ),
    m.Hello(
        protocol_version="1.0.0",
        role="runner",
        name="big",
        generation=FAR,
        version="0.1.0",
        title="shop",
        labels=("gpu",),
        capacity=100,
        updates=True,
    ),
    m.Welcome(
        protocol_version="1.0.0",
        server_id="hub-1",
        instance_id="0f6c",
        heartbeat_secs=2.0,
        misses=3,
        status_interval_secs=5.0,
        status_updates=False,
        peers=(PEER,),
        told=11,
    ),
    m.PeerUpdate(peer=PEER, number=12),
    m.Heartbeat(generation=FAR, agents=3, load=0.75, is_draining=True, interval_secs=20.0, told=12),
    m.Output(
        agent_id=AGENT_ID, stream="stderr", offset=FAR, data=b"hi\r\n\x00\xff", gap="dropped to keep 1G", is_last=True
    ),
    m.Credit(agent_id=AGENT_ID, stream="stderr", offset=FAR, until=FAR + 4 * 1024 * 1024),
    m.Goodbye(reason="a younger big is here", code="twin"),
    m.PeersRequest(request_id=ASKED, role="runner"),
    m.PeersResponse(request_id=ASKED, success=True, peers=(PEER,), error="no", code="refused"),
    m.EnrollRequest(request_id=ASKED, public_key=KEY, name="big", role="runner"),
    m.EnrollResponse(
        request_id=ASKED, success=True, name="big", role="runner", labels=("gpu",), error="no", code="refused"
    ),
    m.Problem(code="unavailable", error="big is lost", request_id=ASKED, to="big"),
)
BY_TYPE = {one.type: one for one in ONE_OF_EACH}  # type: ignore[attr-defined] # each of the union has it
KINDS: tuple[type[m.Message], ...] = get_args(get_args(m.AnyMessage)[0])
