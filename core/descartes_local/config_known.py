"""The sections of the configuration about what is known: search, and what is alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from descartes_local.config_sections import NUMBER, Argument, Section, SomePath


class Search(Section):
    """The index by which is found again what agents said."""

    #: Whether there is one.
    enabled: bool = True
    #: What it may take on the disk, of each session; the oldest is dropped first.
    max_bytes: Annotated[int, NUMBER, Field(ge=1024 * 1024, le=1024**5)] = 1024**3
    #: Seconds between two times that it is brought up to date while agents write; a search does so in any case.
    every: Annotated[float, NUMBER, Field(ge=0.1, le=86_400, allow_inf_nan=False)] = 10.0
    #: Sessions that are searched together by `search --group NAME`, as `groups.NAME = ["shop", "~/projects/farm"]`.
    groups: dict[str, list[SomePath]] = Field(default={})


class Semantic(Section):
    """How texts are compared by `search --semantic`; needs the extra `semantic`."""

    #: What makes vectors of texts: `lexical` compares words and their pieces and knows no meaning; `url` asks a server
    #: (it gets the texts, without secrets); `directory` runs a model of yours.
    embedder: Literal["lexical", "url", "directory"] = "lexical"
    #: The address of a server that speaks OpenAI's embeddings, as `http://localhost:11434/v1/embeddings`.
    url: Argument = ""
    #: Its name for the model.
    model: Argument = ""
    #: The environment variable of the daemon that has its key.
    key_variable: Argument = "OPENAI_API_KEY"
    #: Seconds until it must have answered.
    timeout: Annotated[float, NUMBER, Field(ge=0.1, le=600, allow_inf_nan=False)] = 30.0
    #: A directory with `model.onnx` and `tokenizer.json`; needs onnxruntime and tokenizers.
    directory: Argument = ""
