"""What is written is read again, and any text at all is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.scud import checking, diff, graph, rules
from descartes_core.scud.canonical import write_phase
from descartes_core.scud.task import LETTERS, PRIORITY_LETTERS, Fault, Graph, Phase, Task

HEAD = "# SCUD Graph v1\n# Phase: auth\n\n@meta {\n  name auth\n}\n\n@nodes\n"


def tasks_of(text: str) -> list[Task]:
    return graph.parse(text).tasks


# Letters that mean something in a graph, and some that do in Unicode.
letters = st.sampled_from('ab1 |\\#@:,->."é\x85\u2028\x00🐟')
# As fields have them: without spaces at their ends, and no other end of a line than a line feed.
words = st.text(letters, max_size=8).map(str.strip)
titles = st.text(letters | st.just("\n"), max_size=8).map(str.strip)
texts = st.lists(words, min_size=1, max_size=3).map("\n".join)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,6}(\.[0-9]{1,2})?", fullmatch=True).filter(lambda name: name != "id")
tags = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
maybe = st.none() | words.filter(bool)
pieces = st.lists(ids, unique=True, max_size=3).map(tuple)


@st.composite
def phases(draw: st.DrawFn, tag: str) -> Phase:
    names = draw(st.lists(ids, unique=True, max_size=4))
    if draw(st.booleans()):
        names = [f"{tag}:{name}" for name in names]
    whole = {part: names[0] for part in names[1:] if draw(st.booleans())}
    tasks = tuple(
        Task(
            id=name,
            tag=tag,
            title=draw(titles),
            status=draw(st.sampled_from(list(LETTERS))),
            complexity=draw(st.integers(0, 89)),
            priority=draw(st.sampled_from(list(PRIORITY_LETTERS))),
            dependencies=draw(pieces),
            parent=whole.get(name),
            children=tuple(whole) if whole and name == names[0] else (),
            description=draw(st.just("") | texts),
            details=draw(st.none() | texts),
            test_strategy=draw(st.none() | texts),
            assigned_to=draw(maybe),
            locked_by=draw(maybe),
            locked_at=draw(maybe),
            agent_type=draw(maybe),
            model_tier=draw(maybe),
            annotation=draw(st.sampled_from(["", "role=writer scope=src"])),
        )
        for name in names
    )
    kept = draw(
        st.sampled_from([(), (("", "# a remark"), ("nodes", "# another"), ("x", "@x"), ("x", "1 | who knows"))])
    )
    return Phase(tag, "", draw(st.sampled_from(["", "2026-01-08T23:30:31Z"])), "", tasks, kept)


graphs = st.lists(tags, unique=True, max_size=2).flatmap(
    lambda found: st.tuples(*map(phases, found)).map(lambda made: Graph(tuple(made)))
)
lines = st.sampled_from(
    [
        *[
            "# SCUD Graph v1",
            "# Phase: a",
            "# Epic: b",
            "---",
            "",
            "  ",
            "@meta {",
            "  name c",
            "}",
            "@nodes",
            "@edges",
        ],
        *["@parents", "@details", "@assignments", "@agents", "@unknown", "# remark", "1 | One | P | 3 | H", "1 -> 2"],
        *[
            "1.1 | a \\| b \\n c \\\\ | X | 0 | L",
            "a:1 | Two | ! | 5 | C",
            "1: 1.1, a:1",
            "a:1: 1.1",
            "1 | me | me | now",
        ],
        *[
            "1 | description |",
            "  text",
            "  @nodes",
            "  # text",
            "1 | notes |",
            "9 | details | at once",
            "| | | | ",
            "\t",
        ],
        *[
            "2 ~~ 1",
            "x\x85y\u2028 | é | Q | many | ?",
            "1 | fast\r",
            "--- ",
            "---more",
            "@nodes now",
            "2 | \ud800 | P | 1 | H",
        ],
    ]
)
soup = st.lists(lines | st.text(max_size=12), max_size=25).map("\n".join)


@settings(deadline=None)
@given(graphs)
def test_what_is_written_is_read_again(made: Graph) -> None:
    again = graph.parse(graph.write(made))
    assert again.phases == made.phases
    assert again.faults == () or all("is no task of this phase" in one.text for one in again.faults)


@given(soup)
def test_what_nobody_changed_is_written_as_it_was(text: str) -> None:
    assert graph.write(graph.parse(text)) == text


@given(st.binary(max_size=200) | soup.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_and_written_as_they_were(data: bytes) -> None:
    read = graph.parse(data.decode("utf-8", "surrogateescape"))
    assert graph.write(read).encode("utf-8", "surrogateescape") == data
    for told in (rules.ready(read), rules.waves(read), rules.stats(read), rules.phases(read), checking.faults(read)):
        str(told).encode()
    assert diff.changes(read, read) == []


@settings(deadline=None)
@given(graphs, soup)
def test_what_changed_is_told_and_nothing_else(before: Graph, text: str) -> None:
    after = graph.parse(text)
    told = diff.changes(before, after)
    old, new = ({one.task_id: one for one in which.tasks} for which in (before, after))
    assert {one.task_id for one in told if one.kind == "created"} == new.keys() - old.keys()
    assert {one.task_id for one in told if one.kind == "removed"} == old.keys() - new.keys()
    different = {key for key in old.keys() & new.keys() if old[key] != new[key]}
    assert {one.task_id for one in told if one.kind in ("changed", "status_changed")} == different


def test_escaped_fields_are_read() -> None:
    assert [task.title for task in tasks_of(HEAD + "1 | a \\| b \\\\ \\n c \\x | P | 1 | H\n")] == ["a | b \\ \n c \\x"]


def test_a_phase_may_be_called_epic() -> None:
    read = graph.parse("# SCUD Graph v1\n# Epic: auth\n\n@nodes\n1 | One | P | 1 | H\n")
    assert [(phase.tag, len(phase.tasks)) for phase in read.phases] == [("auth", 1)]


def test_the_tag_is_what_meta_says_as_scud_has_it() -> None:
    read = graph.parse("# SCUD Graph v1\n# Phase: shown\n@meta {\n  name meant\n  id_format uuid\n}\n")
    assert [(phase.tag, phase.name, phase.id_format) for phase in read.phases] == [("meant", "shown", "uuid")]


def test_ids_may_bear_their_tag_in_one_place_and_not_in_another() -> None:
    text = HEAD + "auth:1 | One | P | 1 | H\n2 | Two | P | 1 | H\n\n@edges\n1 -> auth:2\nauth:2 -> web:7\n"
    text += "\n@parents\nauth:1: auth:2\n\n@assignments\nauth:2 | me\n\n@details\n1 | description |\n  text\n"
    one, two = tasks_of(text)
    assert (one.id, one.dependencies, one.children, one.description) == ("auth:1", ("auth:2",), ("2",), "text")
    assert (two.id, two.task_id, two.dependencies, two.parent, two.assigned_to) == (
        *("2", "auth:2", ("web:7",), "auth:1", "me"),
    )


def test_a_parent_with_a_colon_in_its_id_has_all_its_parts() -> None:
    text = HEAD + "auth:1 | One | X | 1 | H\nauth:1.1 | Two | P | 1 | H\n\n@parents\nauth:1: auth:1.1\n"
    assert [task.children for task in tasks_of(text)] == [("auth:1.1",), ()]


def test_blank_lines_belong_to_the_details_around_them() -> None:
    text = HEAD + "1 | One | P | 1 | H\n\n@details\n1 | description |\n  a\n\n   b\n  \n  c\n\n1 | details |\n  d\n\n"
    assert [(task.description, task.details) for task in tasks_of(text)] == [("a\n\n b\n\nc", "d")]


def test_indented_lines_are_details_whatever_they_begin_with() -> None:
    text = HEAD + "1 | One | P | 1 | H\n\n@details\n1 | description |\n  # no remark\n  @nodes\n  ---\n  2 | x |\n"
    assert [task.description for task in tasks_of(text)] == ["# no remark\n@nodes\n---\n2 | x |"]


def test_headings_without_their_mark_are_no_task() -> None:
    text = HEAD + "id | title | status | complexity | priority\n1 | One | P | 1 | H\n"
    assert [task.id for task in tasks_of(text)] == ["1"]


def test_lines_may_end_as_elsewhere() -> None:
    text = (HEAD + "1 | One | P | 1 | H\n\n@details\n1 | description |\n  a\n  b\n").replace("\n", "\r\n")
    assert [(task.title, task.description) for task in tasks_of(text)] == [("One", "a\nb")]
    assert graph.write(graph.parse(text)) == text


def test_agents_and_assignments_are_read() -> None:
    text = (
        HEAD
        + "1 | One | P | 1 | H\n2 | Two | I | 1 | H\n\n@assignments\n1 | ann\n2 | bob | bob | 2026-01-01T00:00:00Z\n"
    )
    text += "\n@agents\n1 | builder\n2 | tester | fast\n"
    one, two = tasks_of(text)
    assert (one.assigned_to, one.locked_by, one.agent_type, one.model_tier) == ("ann", None, "builder", None)
    assert (two.locked_by, two.locked_at, two.agent_type, two.model_tier) == (
        *("bob", "2026-01-01T00:00:00Z", "tester", "fast"),
    )


def test_what_newer_versions_write_is_written_as_they_do() -> None:
    text = "# SCUD Graph v1\n# Phase: zig\n\n@meta {\n  name zig\n  id_format sequential\n  updated now\n}\n\n@nodes\n"
    text += "# id | title | status | complexity | priority\n1 | One | D | 3 | H\n3 | Three | X | 5 | H\n"
    text += "3.1 | Half | P | 0 | M\n"
    text += "\n@edges\n# dependent -> dependency\n3 -> 1\n3.1 -> zig:1\n\n@parents\n# parent: subtasks...\n3: 3.1\n"
    text += "\n@assignments\n# id | assigned_to\n3.1 | ann\n\n@agents\n# id | agent_type\n1 | builder\n3.1 | tester\n"
    read = graph.parse(text)
    assert (read.faults, checking.faults(read)) == ((), [])
    assert [task.id for task in rules.ready(read)] == ["3.1"]
    assert write_phase(read.phases[0]) == text


def test_headings_and_blank_lines_of_hands_are_no_remarks() -> None:
    text = (
        HEAD.replace("}", "\n}")
        + "1 | One | X | 3 | H\n1.1 | Two | P | 0 | H\n\n@parents\n# parent: child1, child2\n1: 1.1\n"
    )
    assert [(phase.kept, len(phase.tasks)) for phase in graph.parse(text).phases] == [((), 2)]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("1 | One | P | 1 | H\n1 | Again | D | 1 | H\n", "task 1 stands twice: the last counts, as SCUD has it"),
        ("1 | One | Q | 1 | H\n", "task 1: 'Q' is no status, pending is assumed"),
        ("1 | One | P | many | H\n", "task 1: 'many' is no complexity, 0 is assumed"),
        ("1 | One | P | 1 | ?\n", "task 1: '?' is no priority, medium is assumed"),
        ("1 | One\n", "a task needs id | title | status | complexity | priority"),
        ("1 | One | P | 1 | H\n@edges\n9 -> 1\n", "9 is no task of this phase"),
        ("1 | One | P | 1 | H\n@parents\n1: 9\n", "9, a subtask of 1, is no task of this phase"),
    ],
)
def test_what_cannot_be_is_told_and_the_rest_is_read(rows: str, told: str) -> None:
    read = graph.parse(HEAD + rows + "\n---\n\n# SCUD Graph v1\n# Phase: web\n@nodes\n1 | One | P | 1 | H\n")
    assert [(one.phase, one.text) for one in read.faults] == [("auth", told)]
    assert read.faults[0].line > HEAD.count("\n")
    assert read.tasks[-1] == Task("1", "web", "One", complexity=1, priority="high")


def test_a_tag_that_stands_twice_is_told() -> None:
    assert [one.text for one in graph.parse(f"{HEAD}---\n{HEAD}").faults] == [
        "phase auth stands twice: SCUD knows the last only"
    ]


def test_a_file_that_is_no_graph_has_no_phase() -> None:
    assert graph.parse("hello\n").faults == (Fault(1, "", "this is no graph of SCUD: it has no phase"),)
    assert graph.parse("").phases == graph.parse("hello").phases == graph.parse("\x00" * 4096).phases == ()


def test_rings_and_what_scud_would_not_take_are_told() -> None:
    text = HEAD + "a b | One | P | 4 | H\n2 | Two | P | 1 | H\n3 |  | C | 1 | H\n"
    text += "@edges\n2 -> 4\n2 -> 3\n2 -> a b\na b -> 2\n"
    assert [one.text for one in checking.faults(graph.parse(text))] == [
        "auth:a b: SCUD takes no such id: letters, digits, - _ : and . are allowed, 100 at most",
        "auth:a b: complexity 4 is no Fibonacci number up to 89",
        "auth:2: it waits for 4, which is missing",
        "auth:2: it waits for 3, which is cancelled",
        "auth:3: it has no title",
        "these wait for each other: auth:a b -> auth:2 -> auth:a b",
    ]


def test_two_tasks_of_one_id_are_told() -> None:
    read = graph.parse(HEAD + "1 | One | P | 1 | H\nauth:1 | Two | P | 1 | H\n")
    assert [one.text for one in checking.faults(read)] == ["auth:1 is two tasks, one with its tag and one without"]


def test_a_chain_of_any_length_is_walked() -> None:
    tasks = tuple(Task(str(n), "a", "t", dependencies=(str(n + 1),), parent=str(n + 1)) for n in range(5000))
    read = Graph((Phase("a", tasks=(*tasks, Task("5000", "a", "t"))),))
    assert checking.faults(read) == []
    assert rules.ready(read) == [] or len(rules.ready(read)) == 1
    ring = replace(read.phases[0], tasks=(*tasks, Task("5000", "a", "t", dependencies=("0",))))
    assert len(checking.faults(Graph((ring,)))) == 1


def test_what_is_not_understood_stays_when_a_phase_is_changed() -> None:
    text = (
        HEAD
        + "# mine\n1 | One | P | 1 | H\n\n@edges\n1 ~~ 2\n\n@weave\nw | x | 1\n\n@details\n  lost\n1 | notes |\n  why\n"
    )
    phase = graph.parse(text).phases[0]
    changed = replace(phase, tasks=(replace(phase.tasks[0], status="done"),))
    written = graph.write(Graph((changed,)))
    assert {line for line in text.replace("| P |", "| D |").splitlines() if line} <= set(written.splitlines())
    assert graph.parse(written).phases == (changed,)
    assert write_phase(changed) == written


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "rows",
    [
        "@nodes\n1 | One | P | 1 | M\n@edges\n" + "1 -> 2\n" * 150_000,
        "@nodes\n1 | One | P | 1 | M\n@parents\n" + "1: 1\n" * 150_000,
        "---\n" * 300_000,
        "".join(f"# Phase: {number}\n---\n" for number in range(20_000)),
    ],
    ids=["edges", "parents", "separators", "phases"],
)
def test_what_nobody_writes_is_read_in_time(rows: str) -> None:
    text = f"# SCUD Graph v1\n# Phase: auth\n\n{rows}"
    assert graph.write(graph.parse(text)) == text
