"""What is told of a daemon of another version can be typed as it stands."""

from __future__ import annotations

from descartes_cli.skew import remark
from descartes_local.run_file import RunFile

RUN = RunFile(
    session_id="34bcba36-0273-42a6-8398-d14ba6f927bd",
    name="shop",
    path="/shop",
    pid=1,
    process_started=1,
    instance_id="x",
    http_endpoint="",
    ws_endpoint="",
    socket="/none.sock",
    started_at="",
    version="0.0.1",
)


def test_both_versions_and_what_to_type_are_told() -> None:
    told = remark(RUN)
    assert "is of version 0.0.1, this command of" in told
    assert "descartes upgrade brings it" in told


def test_a_name_from_a_cloned_workspace_is_nothing_to_run() -> None:
    told = remark(RUN._replace(name="x; rm -rf ~"))
    assert "rm -rf" not in told.rpartition("descartes ")[2]
