"""Each embedder makes vectors of length one, or says what is wrong, and to nobody else what its key is."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from descartes_core.errors import Refused, Unavailable
from descartes_core.redactor import Rules
from descartes_daemon.search.asked import read_query
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.looking import Looking, finding_of
from descartes_daemon.search.searching import Wanted
from descartes_daemon.search.semantic.embedder import embedder_of
from descartes_daemon.search.semantic.lexical import SIZE, LexicalEmbedder
from descartes_local.config_known import Semantic
from tests.support.searchable import Searchable


class _Server(http.server.ThreadingHTTPServer):
    """Answers with what it is told to, and remembers what it was asked."""

    asked: list[tuple[dict[str, str], Any]]
    answer: Any = None
    status = 200


class _Answer(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((dict(self.headers), body))
        # Out of order, as the protocol allows.
        rows = [{"index": at, "embedding": [len(text), 1.0]} for at, text in enumerate(body["input"])][::-1]
        told = json.dumps({"data": rows} if self.server.answer is None else self.server.answer).encode()
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    found = _Server(("127.0.0.1", 0), _Answer)
    found.asked = []
    thread = threading.Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def settings(**how: object) -> dict[str, Any]:
    return Semantic(**how).model_dump(mode="json")


def asking(server: _Server, **how: object) -> Any:
    where = f"http://127.0.0.1:{server.server_address[1]}/v1/embeddings"
    return embedder_of(settings(embedder="url", url=where, model="small", timeout=5.0, **how))


def test_hashed_words_are_alike_where_they_share_pieces() -> None:
    rows = LexicalEmbedder().embed(["Deadlocked workers", "worker deadlock", "größere Dateien", "", "größer, Datei"])
    assert rows.shape == (5, SIZE)
    assert rows.dtype == numpy.float32
    lengths = numpy.linalg.norm(rows, axis=1)
    assert lengths == pytest.approx([1, 1, 1, 0, 1], abs=1e-5)
    assert rows[0] @ rows[1] > 0.4
    assert rows[2] @ rows[4] > 0.4
    assert abs(rows[0] @ rows[2]) < 0.2
    assert (LexicalEmbedder().embed(["Deadlocked workers"])[0] == rows[0]).all(), "the same in every process"


def test_a_server_is_asked_with_its_key(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", "sesame")
    embedder = asking(server, key_variable="EMBEDDING_KEY")
    rows = embedder.embed(["abc", ""])
    ((headers, body),) = server.asked
    assert (headers["Authorization"], body["model"], body["input"]) == ("Bearer sesame", "small", ["abc", "-"])
    assert numpy.linalg.norm(rows, axis=1) == pytest.approx([1, 1])
    assert rows[0, 0] > rows[1, 0], "each text has its own row"
    assert "sesame" not in embedder.name


@pytest.mark.parametrize(
    "answer",
    [{}, [], {"data": []}, {"data": [{"index": 0, "embedding": ["x"]}]}, {"data": [{"index": 0, "embedding": 3}]}],
)
def test_nonsense_is_told(server: _Server, answer: Any) -> None:
    server.answer = answer
    with pytest.raises(Unavailable, match="something else"):
        asking(server).embed(["abc"])


@pytest.mark.parametrize("status", [302, 401, 500])
def test_a_refusal_is_told_and_no_redirect_followed(server: _Server, status: int) -> None:
    server.status = status
    with pytest.raises(Unavailable, match=f"answers {status}"):
        asking(server).embed(["abc"])
    assert len(server.asked) == 1


def test_who_is_not_there_is_told(server: _Server) -> None:
    embedder = embedder_of(settings(embedder="url", url="http://127.0.0.1:1/v1/embeddings", timeout=1.0))
    with pytest.raises(Unavailable, match="does not answer"):
        embedder.embed(["abc"])


@pytest.mark.parametrize(
    "how", [{"embedder": "url"}, {"embedder": "directory"}, {"embedder": "url", "url": "file:///"}]
)
def test_what_is_not_configured_is_refused(how: dict[str, str]) -> None:
    with pytest.raises(Refused, match="semantic"):
        embedder_of(settings(**how))


def test_a_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"needs model\.onnx and tokenizer\.json"):
        embedder_of(settings(embedder="directory", directory=str(tmp_path)))
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(Refused, match=r"pip install onnxruntime tokenizers|semantic\.directory"):
        embedder_of(settings(embedder="directory", directory=str(tmp_path)))


def test_a_server_gets_no_secret_of_a_question(server: _Server, tmp_path: Path) -> None:
    """Passages went without theirs, the question as it stood."""
    shop = Searchable(tmp_path / "session")
    shop.say(shop.agent("a"), b"hello world\n")
    url = settings(embedder="url", url=f"http://127.0.0.1:{server.server_port}/v1/embeddings", timeout=10.0)
    assert shop.index(is_semantic=True, semantic=url) == "done"
    looking = Looking(shop.place, None, Hiding(Rules()), "s")
    looking.finding = finding_of(shop.place, url)
    query = "world TOKEN=abcdefgh12345678"
    looking.look(Wanted(read_query(query)), query)
    looking.close()
    shop.close()
    assert len(server.asked) > 1
    assert not [body for _, body in server.asked if "abcdefgh12345678" in str(body)]
