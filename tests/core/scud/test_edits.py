"""One row changes, and no other byte of the file."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.scud import diff, edits, graph
from descartes_core.scud.task import LETTERS
from tests.support.scud_trees import COUNTS, text_of

AT = "2026-01-01T00:00:00Z"
HEAD = "# SCUD Graph v1\n# Phase: auth\n\n@meta {\n  name auth\n}\n"
HEAD += "\n@nodes\n1 | One | P | 3 | H\n2 | Two \\| more | I | 0 | M\n"
DETAILS = "\n@details\n1 | description |\n  @assignments\n  1 | One | P | 3 | H\n"


def lines_changed(before: str, after: str) -> list[str]:
    """Return the lines that came and went."""
    told = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), n=0)
    return sorted((line for line in told if line[0] in "+-" and line[:3] not in ("---", "+++")), key=str.lower)


@pytest.mark.parametrize("tree", COUNTS)
@settings(deadline=None)
@given(data=st.data())
def test_a_status_is_one_letter_of_its_row(tree: str, data: st.DataObject) -> None:
    text = text_of(tree)
    task = data.draw(st.sampled_from(graph.parse(text).tasks))
    status = data.draw(st.sampled_from(sorted(LETTERS.keys() - {task.status})))
    changed = edits.set_status(text, task.tag, task.id, status)
    assert sum(one != other for one, other in zip(text, changed, strict=True)) == 1
    told = diff.changes(graph.parse(text), graph.parse(changed))
    assert [(one.kind, one.task_id, one.was, one.became) for one in told] == [
        ("status_changed", task.task_id, task.status, status)
    ]


@pytest.mark.parametrize("tree", ["hl_project", "coalgas"])
@settings(deadline=None)
@given(data=st.data())
def test_claims_change_nothing_but_the_assignments(tree: str, data: st.DataObject) -> None:
    text = text_of(tree)
    for task in data.draw(st.lists(st.sampled_from(graph.parse(text).tasks), min_size=1, max_size=4)):
        before, text = text, edits.claim(text, task.tag, task.id, data.draw(st.sampled_from(["ann", "bob"])), AT)
        for one in diff.changes(graph.parse(before), graph.parse(text)):
            assert (one.kind, one.task_id) == ("changed", task.task_id)
            assert {name for name, _, _ in one.fields} <= {"assigned_to", "locked_by", "locked_at"}
        assert all(line[0] == "+" or " | " in line for line in lines_changed(before, text))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_first_claim_makes_the_section_where_scud_has_it(end: str) -> None:
    text = (HEAD + DETAILS).replace("\n", end)
    claimed = edits.claim(text, "auth", "2", "ann", AT)
    rows = "@assignments\n# id | assigned_to | locked_by | locked_at\n2 | ann | ann | 2026-01-01T00:00:00Z\n\n"
    assert claimed == (HEAD + "\n" + rows + DETAILS.removeprefix("\n")).replace("\n", end)
    more = edits.claim(edits.claim(claimed, "auth", "1", "bob", AT), "auth", "auth:2", "cid", "now")
    assert lines_changed(claimed, more) == [
        f"+1 | bob | bob | {AT}{end}",
        f"+2 | cid | cid | now{end}",
        f"-2 | ann | ann | {AT}{end}",
    ]


def test_a_claim_at_the_end_of_a_file_without_a_last_line_end() -> None:
    claimed = edits.claim(HEAD.removesuffix("\n"), "auth", "1", "ann", AT)
    assert claimed.startswith(HEAD + "\n@assignments\n")
    assert graph.parse(claimed).tasks[0].locked_by == "ann"


def test_a_graph_without_locks_gets_none() -> None:
    text = HEAD + "\n@assignments\n# id | assigned_to\n1 | ann\n" + DETAILS
    assert lines_changed(text, edits.claim(text, "auth", "2", "bob", AT)) == ["+2 | bob\n"]
    assert [line[:8] for line in lines_changed(text, edits.claim(text, "auth", "1", "bob", AT))] == [
        "+1 | bob",
        "-1 | ann",
    ]


def test_rows_are_found_with_the_tag_and_without() -> None:
    text = HEAD.replace("2 | Two", "auth:2 | Two")
    assert edits.set_status(text, "auth", "2", "done") == edits.set_status(text, "auth", "auth:2", "done")
    assert "auth:2 | Two \\| more | D | 0 | M" in edits.set_status(text, "auth", "2", "done")


def test_the_row_of_another_phase_or_of_the_details_is_left_alone() -> None:
    text = HEAD + DETAILS + "\n---\n\n" + HEAD.replace("auth", "web")
    assert lines_changed(text, edits.set_status(text, "auth", "1", "done")) == [
        "+1 | One | D | 3 | H\n",
        "-1 | One | P | 3 | H\n",
    ]
    assert edits.set_status(text, "web", "1", "done").startswith(HEAD + DETAILS)


def test_a_status_in_full_becomes_its_letter() -> None:
    text = HEAD.replace("| P |", "|Pending|")
    assert "1 | One |D| 3 | H" in edits.set_status(text, "auth", "1", "done")


@pytest.mark.parametrize(("tag", "task_id"), [("auth", "9"), ("web", "1"), ("auth", "One"), ("", "1")])
def test_what_is_not_there_is_not_changed(tag: str, task_id: str) -> None:
    with pytest.raises(NotFound):
        edits.set_status(HEAD + DETAILS, tag, task_id, "done")
    with pytest.raises(NotFound):
        edits.claim(HEAD + DETAILS, tag, task_id, "ann", AT)


def test_what_a_row_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidParams):
        edits.set_status(HEAD, "auth", "1", "nearly")
    for name in ("", "a|b", "a\nb", " a", "a\\"):
        with pytest.raises(InvalidParams):
            edits.claim(HEAD, "auth", "1", name, AT)


@given(st.text(st.sampled_from("@nodesasignments1| P\n#-: \r"), max_size=60))
def test_any_text_is_changed_in_one_row_or_not_at_all(text: str) -> None:
    for task in graph.parse(HEAD + text).tasks:
        changed = edits.set_status(HEAD + text, task.tag, task.id, "failed")
        assert graph.parse(changed).tasks[0] is not None
        assert {one.status for one in graph.parse(changed).tasks if one.task_id == task.task_id} == {"failed"}
