"""What makes vectors of texts: three ways, one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from descartes_core.errors import Refused
from descartes_daemon.search.semantic.directory import DirectoryEmbedder
from descartes_daemon.search.semantic.lexical import LexicalEmbedder
from descartes_daemon.search.semantic.web import WebEmbedder

Vectors = Any  # numpy has types, and is not always there


class Embedder(Protocol):
    """Makes a vector of length one of each text: near ones for texts that say the like."""

    @property
    def name(self) -> str:
        """Which one it is: vectors of two names cannot be compared."""

    @property
    def at_once(self) -> int:
        """How many texts it takes best in one go."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a matrix of 32-bit floats with a row for each text.

        Raises:
            Unavailable: it cannot be made now.

        """


def embedder_of(settings: dict[str, Any]) -> Embedder:
    """Return the one that is configured (the section `semantic`).

    Raises:
        Refused: it cannot work here; the message says what is missing.

    """
    match settings["embedder"]:
        case "url":
            if not settings["url"]:
                raise Refused('semantic.embedder is "url", and semantic.url names none')
            return WebEmbedder(settings["url"], settings["model"], settings["key_variable"], settings["timeout"])
        case "directory":
            if not settings["directory"]:
                raise Refused('semantic.embedder is "directory", and semantic.directory names none')
            return DirectoryEmbedder(settings["directory"])
        case _:
            return LexicalEmbedder()
