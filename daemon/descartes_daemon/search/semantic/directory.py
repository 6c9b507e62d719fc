"""Vectors from a model in a directory: `model.onnx` and `tokenizer.json`."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from descartes_core.errors import Refused, Unavailable

#: Tokens of a text; most small models know no more places.
_LONGEST = 512


class DirectoryEmbedder:
    """Runs an ONNX model: mean of the last layer over the tokens of a text."""

    at_once = 16

    def __init__(self, directory: str) -> None:
        """Load it.

        Raises:
            Refused: packages or files are missing, or it is another kind of model.

        """
        place = Path(directory).expanduser()
        model = next((path for path in (place / "model.onnx", place / "onnx" / "model.onnx") if path.is_file()), None)
        tokens = place / "tokenizer.json"
        if model is None or not tokens.is_file():
            raise Refused(f"semantic.directory: {place} needs model.onnx and tokenizer.json")
        try:
            runtime, tokenizers = importlib.import_module("onnxruntime"), importlib.import_module("tokenizers")
        except ImportError as error:
            raise Refused("a model in a directory needs: pip install onnxruntime tokenizers") from error
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(tokens))
            self._tokenizer.enable_truncation(_LONGEST)
            self._tokenizer.enable_padding()
            self._session = runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise Refused(f"semantic.directory: {place}: {error}") from error
        self._inputs = {one.name for one in self._session.get_inputs()}
        found = model.stat()
        about = f"{model.resolve()} {found.st_size} {found.st_mtime_ns}"
        self.name = f"directory-{hashlib.sha256(about.encode()).hexdigest()[:16]}"

    def embed(self, texts: Sequence[str]) -> Any:
        """Return a row for each text.

        Raises:
            Unavailable: the model fails.

        """
        found = self._tokenizer.encode_batch(list(texts))
        mask = numpy.array([one.attention_mask for one in found], numpy.int64)
        given = {
            "input_ids": numpy.array([one.ids for one in found], numpy.int64),
            "attention_mask": mask,
            "token_type_ids": numpy.zeros_like(mask),
        }
        try:
            layer = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        except Exception as error:
            raise Unavailable(f"the model fails: {error}") from error
        weights = mask[:, :, None].astype(numpy.float32)
        rows = (layer * weights).sum(axis=1) / numpy.maximum(weights.sum(axis=1), 1) if layer.ndim == 3 else layer
        lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
        return (rows / numpy.where(lengths == 0, 1, lengths)).astype(numpy.float32)
