"""What a command carries, checked; what is not known is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from descartes_core.errors import InvalidParams
from descartes_core.messages.common import Model

_M = TypeVar("_M", bound=Model)


def checked(kind: type[_M], payload: Mapping[str, Any]) -> _M:
    """Return the model that a payload is.

    Raises:
        InvalidParams: it does not fit; the message names each.

    """
    known = {name: value for name, value in payload.items() if name in kind.model_fields and value is not None}
    try:
        return kind.model_validate(known)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
        raise InvalidParams("; ".join(told)[:1000]) from None
