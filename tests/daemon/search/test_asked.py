from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams
from descartes_daemon.search.asked import Term, read_query, spaced
from descartes_daemon.search.strip import cleaned
from descartes_daemon.search.words import indexed, mark, words


def finds(query: str, *texts: str) -> list[str]:
    """Look for it in an index, then in the texts, as a search does."""
    asked = read_query(query)
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE f USING fts5(text, content='', detail=none, tokenize='ascii')")
    index.executemany("INSERT INTO f (rowid, text) VALUES (?, ?)", ((n, indexed(text)) for n, text in enumerate(texts)))
    rows = index.execute("SELECT rowid FROM f WHERE f MATCH ? ORDER BY rowid", (asked.match(),)).fetchall()
    found = [texts[n] for (n,) in rows if asked.fits(spaced(texts[n]))]
    assert found == [text for text in texts if asked.fits(spaced(text))], "the index loses nothing"
    index.close()
    return found


TEXTS = ("The worker is in a deadlock", "a dead lock of worker_7.py", "Größe über 3 µm", "connection reset by peer", "")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("deadlock WORKER", [0]),
        ("worker", [0, 1]),
        ("work*", [0, 1]),
        ("dead OR reset", [1, 3]),
        ("worker -deadlock", [1]),
        ('worker -"dead lock"', [0]),
        ('"dead lock"', [1]),
        ('"lock dead"', []),
        ("worker_7.py", [1]),
        ("grosse", [2]),
        ("GRÖSSE", [2]),
        ("uber", [2]),
        ('"reset by pe"*', [3]),
        ("a AND worker", [0, 1]),
    ],
)
def test_a_query_finds_what_it_says(query: str, found: list[int]) -> None:
    assert finds(query, *TEXTS) == [TEXTS[n] for n in found]


@pytest.mark.parametrize("query", ["", " ", "-", "---", '""', "* *", "OR", "-worker", "\ue000", "…", "\x00", "('"])
def test_without_a_word_there_is_nothing_to_look_for(query: str) -> None:
    with pytest.raises(InvalidParams, match="no word"):
        read_query(query)


def test_a_text_is_no_question() -> None:
    with pytest.raises(InvalidParams, match="more than"):
        read_query("a " * 40)


@pytest.mark.parametrize(
    "query",
    [
        'a"b',
        "a' OR 1=1 --",
        'NEAR("a" "b")',
        "text:a",
        "a AND",
        "OR a",
        "a OR",
        "^a",
        "a + b",
        "{x}: a",
        'a "',
        "a\x00b",
    ],
)
def test_what_fts5_would_read_otherwise_is_a_word_here(query: str) -> None:
    finds(query, *TEXTS, query)


@given(st.text(max_size=60))
def test_any_text_is_found_by_itself_or_has_no_word(text: str) -> None:
    query = '"' + text.replace('"', " ") + '"'
    if len(words(text)) > 30:
        return
    if not words(query):
        with pytest.raises(InvalidParams):
            read_query(query)
    else:
        assert finds(query, text) == [text]


def test_each_sign_of_chinese_is_a_word() -> None:
    assert finds("死锁", "工作者死锁了", "锁死") == ["工作者死锁了"]


def test_a_mark_is_one_word_that_no_text_has() -> None:
    assert mark("a", "x-1") not in indexed("\ue000a782d31")
    assert words("\ue000") == []


def test_a_term_knows_its_words() -> None:
    assert read_query("foo_bar*").groups == ((Term(("foo", "bar"), True),),)


@given(st.lists(st.sampled_from(["worker", "7", "_", " ", "Deadlock", "\n", "é", "\x1b[1m", "\r", "work", "er"])))
def test_a_quick_look_passes_over_nothing_that_fits(pieces: list[str]) -> None:
    text = "".join(pieces)
    for query in ("worker_7", '"deadlock worker" OR er', "work* deadlock", "worker -7"):
        asked = read_query(query)
        assert asked.may_fit(text.encode()) or not asked.fits(spaced(cleaned(text.encode()).decode()))
    assert not read_query("worker_7").may_fit(b"worker 8 and 7")


def test_a_common_word_is_not_asked_of_the_index_beside_others() -> None:
    common = frozenset({'"worker"', '"error"'})
    assert '"worker"' not in read_query("worker_7").match(common=common)
    assert '"error"' not in read_query("error deadlock").match(common=common)
    assert read_query("task error OR deadlock").match(common=common) == '(("task"))'
    assert '"worker"' in read_query("worker error").match(common=common)
    assert read_query("worker* error").match(common=common) == '(("worker" *))'
