"""Everything that can go wrong, once.

The tree (code, HTTP status, JSON-RPC code and exit code stand in each class; docs/errors.md is made from it)::

    DescartesError
    ├── ProtocolError          what was said breaks the rules
    │   ├── ParseError · InvalidRequest · MethodNotFound · InvalidParams · TooLarge
    ├── Unauthorized · Forbidden · Ambiguous · ConfigInvalid · ArchiveInvalid
    ├── NotFound
    │   └── AgentNotFound · SessionNotFound · NoWorkspace · HookNotFound · TaskNotFound
    ├── Refused                it may not be done now
    │   └── IllegalTransition · AlreadyExists · NameTaken · AgentsAlive · Conflict · LimitReached
    │       · NotHere · OutcomeUnknown
    ├── Unavailable            it cannot be reached or started
    │   └── SpawnFailed · NeverSpawned · DaemonStartFailed · DaemonUnreachable · PortsTaken · SupervisorUnreachable
    │       · RenewalFailed · SchemaTooNew · Locked · Shortage · DeadlineOver
    └── InternalError          a fault of ours
"""

from __future__ import annotations

from typing import ClassVar

from descartes_core.redaction import redact_text


class DescartesError(Exception):
    """Something went wrong."""

    #: Stable word for programs.
    code: ClassVar[str] = "error"
    #: HTTP status.
    status: ClassVar[int] = 500
    #: JSON-RPC 2.0 error code (the reserved ones, else the original's numbers, else -32000).
    rpc: ClassVar[int] = -32000
    #: What the command line ends with: 1 failed, 2 usage, 3 no such thing, 4 cannot be reached or started, 5 refused.
    exit: ClassVar[int] = 1

    def __init__(self, message: str | None = None) -> None:
        # A message is shown at every door, and written into logs and history.
        super().__init__(redact_text(message) if message else self.__doc__)

    @property
    def message(self) -> str:
        """The sentence for the person who asked."""
        return str(self.args[0])


class ProtocolError(DescartesError):
    """What was said breaks the rules of the protocol."""

    code, status, rpc, exit = "protocol_error", 400, -32600, 2


class ParseError(ProtocolError):
    """That is not JSON."""

    code, rpc = "parse_error", -32700


class InvalidRequest(ProtocolError):
    """That is no JSON-RPC 2.0 request."""

    code = "invalid_request"


class MethodNotFound(ProtocolError):
    """There is no such method."""

    code, status, rpc = "method_not_found", 404, -32601


class InvalidParams(ProtocolError):
    """The parameters do not fit the method."""

    code, rpc = "invalid_params", -32602


class TooLarge(ProtocolError):
    """The message is larger than allowed."""

    code, status = "too_large", 413


class Unauthorized(DescartesError):
    """A token is needed: send the content of ~/.descartes/token as Authorization: Bearer."""

    code, status, rpc, exit = "unauthorized", 401, -32001, 5


class Forbidden(DescartesError):
    """This Host, Origin or content type is not served."""

    code, status, rpc, exit = "forbidden", 403, -32001, 5


class NotFound(DescartesError):
    """There is no such thing."""

    code, status, exit = "not_found", 404, 3


class AgentNotFound(NotFound):
    """There is no such agent."""

    code, rpc = "agent_not_found", -32002


class SessionNotFound(NotFound):
    """There is no such session."""

    code = "session_not_found"


class NoWorkspace(NotFound):
    """This is no workspace."""

    code = "no_workspace"


class HookNotFound(NotFound):
    """There is no such hook."""

    code = "hook_not_found"


class TaskNotFound(NotFound):
    """There is no such task."""

    code = "task_not_found"


class Ambiguous(DescartesError):
    """The name fits more than one thing."""

    code, status, exit = "ambiguous", 409, 2


class Refused(DescartesError):
    """This may not be done now."""

    code, status, exit = "refused", 409, 5


class IllegalTransition(Refused):
    """This cannot happen to it in its present state."""

    code = "illegal_transition"

    def __init__(self, what: str, state: str, cause: str) -> None:
        super().__init__(f"{what} is {state}: {cause.removesuffix('_asked').replace('_', ' ')} is not possible now")
        self.what, self.state, self.cause = what, state, cause


class AlreadyExists(Refused):
    """It exists already."""

    code = "already_exists"


class NameTaken(Refused):
    """A living agent of this session has that name."""

    code = "name_taken"


class AgentsAlive(Refused):
    """Agents are still alive: end them first, or use force."""

    code = "agents_alive"


class Conflict(Refused):
    """Two things claim to be the same."""

    code = "conflict"


class LimitReached(Refused):
    """A limit is reached."""

    code, status, rpc = "limit_reached", 429, -32011


class NotHere(Refused):
    """This agent has no such thing: no terminal, or only one stream."""

    code = "not_here"


class OutcomeUnknown(Refused):
    """The daemon was killed while it did this: it may or may not have been done."""

    code = "outcome_unknown"


class Unavailable(DescartesError):
    """It cannot be reached or started."""

    code, status, exit = "unavailable", 503, 4


class Shortage(Unavailable):
    """Too few descriptors are free."""

    code, rpc = "shortage", -32011


class SpawnFailed(Unavailable):
    """The program cannot be started."""

    code, status, rpc = "spawn_failed", 422, -32003


class NeverSpawned(Unavailable):
    """The daemon was killed before the program ran; it has not run, spawn it again."""

    code, rpc = "never_spawned", -32003


class DaemonStartFailed(Unavailable):
    """The daemon did not start."""

    code = "daemon_start_failed"


class DaemonUnreachable(Unavailable):
    """The daemon does not answer."""

    code, rpc = "daemon_unreachable", -32010


class PortsTaken(Unavailable):
    """No free port was found."""

    code = "ports_taken"


class SupervisorUnreachable(Unavailable):
    """The supervisor does not answer."""

    code, rpc = "supervisor_unreachable", -32010


class RenewalFailed(Unavailable):
    """The next supervisor cannot begin; this one goes on."""

    code = "renewal_failed"


class SchemaTooNew(Unavailable):
    """The database was written by a newer Descartes."""

    code, rpc = "schema_too_new", -32006


class Locked(Unavailable):
    """Another daemon serves this workspace."""

    code = "locked"


class DeadlineOver(Unavailable):
    """It took too long."""

    code, status, rpc = "deadline_over", 504, -32009


class ConfigInvalid(DescartesError):
    """The configuration is wrong."""

    code, status, rpc, exit = "config_invalid", 500, -32600, 2


class ArchiveInvalid(DescartesError):
    """This file cannot be taken in."""

    code, status = "archive_invalid", 422


class InternalError(DescartesError):
    """Internal error: the daemon's log has the details."""

    code, rpc = "internal_error", -32603


def all_errors(root: type[DescartesError] = DescartesError) -> list[type[DescartesError]]:
    """Return the tree, parents before children."""
    return [root, *(found for child in root.__subclasses__() for found in all_errors(child))]


BY_CODE = {error.code: error for error in all_errors()}


def from_wire(code: str, message: str) -> DescartesError:
    """Make the error again that a peer told us of; an unknown code is a plain DescartesError."""
    kind = BY_CODE.get(code, DescartesError)
    error = kind.__new__(kind)
    DescartesError.__init__(error, message)
    return error
