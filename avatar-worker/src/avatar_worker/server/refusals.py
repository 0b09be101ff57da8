"""Why a request is refused: the server's own branch of the error tree.

AvatarWorkerError
└── RefusedError                the request, not the worker, is at fault (or too early)
    ├── MissingParameterError   the body is no object, or a field is absent or unusable
    ├── InvalidTokenError       the room token could not be used for a join
    ├── UrlNotAllowedError      the LiveKit host is not on the operator's list
    ├── KeyMissingError         no key at all
    ├── KeyWrongError           a key, but none of ours
    ├── SessionNotFoundError    no such session, or not this caller's
    ├── AlreadyActiveError      the identity is in use for an agent that is still there
    ├── RateLimitedError        too many requests with this key
    └── TooManySessionsError    this key has all the sessions that it may have
SessionError > CapacityError > DrainingError    the worker is shutting down
"""

from __future__ import annotations

from avatar_worker.errors import AvatarWorkerError, CapacityError


class RefusedError(AvatarWorkerError):
    """Base of every refusal. The text is safe to answer: no token, no key, no foreign text."""


class MissingParameterError(RefusedError):
    """The body is not a JSON object, or a field is absent or has the wrong type."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidTokenError(RefusedError):
    """The room token lacks something that the join needs, or grants what it must not."""

    def __init__(self, message: str, claim: str) -> None:
        super().__init__(message)
        self.claim = claim


class UrlNotAllowedError(RefusedError):
    """`livekit_url` names a server that the operator did not allow."""


class KeyMissingError(RefusedError):
    """The request carries no key."""

    def __init__(self) -> None:
        super().__init__("no API key: send it in the header `api-secret`")


class KeyWrongError(RefusedError):
    """The request carries a key that is not one of ours."""

    def __init__(self) -> None:
        super().__init__("this API key is not known here")


class SessionNotFoundError(RefusedError):
    """No such session here, or it belongs to another key."""

    def __init__(self, session_id: str) -> None:
        super().__init__("no such session")
        self.session_id = session_id


class AlreadyActiveError(RefusedError):
    """The avatar's identity is in this room already, for an agent that is still there."""

    def __init__(self) -> None:
        super().__init__(
            "this avatar is already in the room for another agent, which is still there"
        )


class RateLimitedError(RefusedError):
    """Too many requests; `retry_after` is in whole seconds."""

    retryable = True

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests with this key; try again in {retry_after} s")
        self.retry_after = retry_after


class TooManySessionsError(RefusedError):
    """The key's own quota of sessions is used up."""

    retryable = True

    def __init__(self, quota: int) -> None:
        super().__init__(f"this key has all of its {quota} sessions running")
        self.quota = quota


class DrainingError(CapacityError):
    """The worker is shutting down and takes no new sessions."""

    def __init__(self, active: int, capacity: int) -> None:
        super().__init__(active, capacity)
        self.args = ("this worker is shutting down; try another one",)
