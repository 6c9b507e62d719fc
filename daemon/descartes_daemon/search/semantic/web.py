"""Vectors from a server that speaks OpenAI's `POST /v1/embeddings`."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy

from descartes_core.errors import Refused, Unavailable

#: The most that is read of an answer: 64 vectors of 4096 numbers in JSON have some 6 MB.
_LARGEST = 64 * 1024 * 1024


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever is asked answers: the key goes to nobody else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""


class WebEmbedder:
    """Asks a server; what is asked of it are texts without their secrets."""

    at_once = 64

    def __init__(self, url: str, model: str, key_variable: str, timeout: float) -> None:
        """Know where it is.

        Args:
            url: The whole address, as `https://api.openai.com/v1/embeddings`.
            model: Its name for the model.
            key_variable: The environment variable that has the key; without one it is asked without a key.
            timeout: Seconds until an answer must have come.

        Raises:
            Refused: the address is none.

        """
        if not url.startswith(("http://", "https://")):
            raise Refused("semantic.url: an address begins with http:// or https://")
        self._url, self._model, self._timeout = url, model, timeout
        self._key = os.environ.get(key_variable, "") if key_variable else ""
        self._opener = urllib.request.build_opener(_NoRedirect)
        self.name = f"url-{url}-{model}"

    def embed(self, texts: Sequence[str]) -> Any:
        """Return a row for each text.

        Raises:
            Unavailable: it does not answer, or nonsense.

        """
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        # Many refuse an empty text.
        body = json.dumps({"model": self._model, "input": [text or "-" for text in texts], "encoding_format": "float"})
        request = urllib.request.Request(self._url, body.encode(), headers)  # noqa: S310 - its scheme was looked at
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                told = json.loads(answer.read(_LARGEST))
        except urllib.error.HTTPError as error:
            raise Unavailable(f"the embedder answers {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise Unavailable(f"the embedder does not answer: {getattr(error, 'reason', error)}") from error
        return _rows(told, len(texts))


def _rows(told: Any, count: int) -> Any:
    try:
        ordered = sorted(told["data"], key=lambda one: one["index"])
        rows = numpy.array([one["embedding"] for one in ordered], numpy.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("the embedder answers something else than embeddings") from error
    if rows.ndim != 2 or len(rows) != count or not numpy.isfinite(rows).all():
        raise Unavailable("the embedder answers something else than a vector for each text")
    lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
    return rows / numpy.where(lengths == 0, 1, lengths)
