from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.scud import checking, json_tree, rules
from descartes_core.scud.task import Task

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "tasks", "title", "tag", "depends_on", "subtasks", "x"]), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@given(anything.map(json.dumps) | st.text(max_size=30))
def test_anything_is_read(text: str) -> None:
    read = json_tree.parse(text)
    str(rules.stats(read)).encode()
    str([rules.ready(read), rules.waves(read), checking.faults(read)]).encode()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": "\\ud800"}', "1" * 5000, '{"tasks": [{"id": "\\ud800"}]}'])
def test_what_python_stumbles_over_is_read_or_told(text: str) -> None:
    str(json_tree.parse(text)).encode()


def test_a_bare_list_has_agents() -> None:
    read = json_tree.parse('[{"id": 1, "name": "One", "agent_type": "builder"}, {"id": 2, "dependencies": [1]}]')
    assert [(one.task_id, one.title, one.agent_type) for one in read.tasks] == [
        ("tasks:1", "One", "builder"),
        ("tasks:2", "", None),
    ]
    assert [one.id for one in rules.ready(read)] == ["1"]


def test_words_are_taken_however_they_are_written() -> None:
    read = json_tree.parse(
        '{"a": {"tasks": [{"id": "1", "status": "in_progress", "priority": "HIGH", "complexity": 5}]}}'
    )
    assert read.tasks == [Task("1", "a", "", "in-progress", 5, "high")]


def test_an_empty_mirror_has_no_phase() -> None:
    assert json_tree.parse("{}").phases == json_tree.parse("").phases == ()
    assert json_tree.parse("").faults == json_tree.parse("{}").faults == ()


def test_what_is_no_task_is_told_and_the_rest_is_read() -> None:
    read = json_tree.parse('{"a": {"tasks": [1, {"id": true}, {"id": 3}, {"id": 3, "title": "x"}]}, "b": 5}')
    assert [one.title for one in read.tasks] == ["x"]
    assert [(one.phase, one.text) for one in read.faults] == [
        ("b", "this is no phase: it has no tasks"),
        ("a", "an entry is no task: it has no id"),
        ("a", "an entry is no task: it has no id"),
        ("a", "task 3 stands twice: the last counts"),
    ]
