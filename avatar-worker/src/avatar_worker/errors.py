"""Everything the worker raises on purpose.

AvatarWorkerError
├── ConfigError                 the operator got it wrong; never retried
├── AvatarError                 an avatar file
│   ├── AvatarNotFoundError     no such file
│   ├── AvatarCorruptError      the bytes break a rule of the format
│   ├── AvatarUnsupportedError  a newer or a foreign format
│   └── AvatarRefusedError      readable, but we may not or should not use it
├── CueError                    a mood or a gesture that makes no sense
├── SessionError                one session; its neighbours go on
│   ├── CapacityError           no free slot here; try another worker
│   ├── PeerError               LiveKit or a participant broke the contract
│   ├── PictureError            no more pictures can be made for it
│   └── InvalidTransitionError
└── DeviceError                 the device failed; the process cannot go on
"""

from __future__ import annotations


class AvatarWorkerError(Exception):
    """Base of every error below."""

    retryable: bool = False
    """Whether the same request may succeed later, here or on another worker."""


class ConfigError(AvatarWorkerError):
    """A setting is missing or makes no sense. The message says what to do about it."""


class AvatarError(AvatarWorkerError):
    """An avatar file cannot be used."""


class AvatarNotFoundError(AvatarError):
    """No file for this avatar id."""

    def __init__(self, avatar_id: str, known: tuple[str, ...] = ()) -> None:
        there = f"; available: {', '.join(known)}" if known else ""
        super().__init__(f"no avatar {avatar_id!r}{there}")
        self.avatar_id = avatar_id
        self.known = known


class AvatarFileError(AvatarError):
    """A fault found in a file: which avatar, which rule of the format, where."""

    def __init__(self, avatar_id: str, code: str, rule: str, where: str, message: str) -> None:
        super().__init__(message)
        self.avatar_id = avatar_id
        self.code = code
        self.rule = rule
        self.where = where


class AvatarCorruptError(AvatarFileError):
    """The bytes break a rule of the format."""


class AvatarUnsupportedError(AvatarFileError):
    """The file is of a foreign format, or of a newer version than this worker reads."""


class AvatarRefusedError(AvatarError):
    """The picture or file is readable, but may not or should not be used.

    Raised by the builder (not one frontal face, ...) and by the loader (no consent, expired).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class CueError(AvatarWorkerError):
    """A cue for the face cannot be followed; the message is a sentence for its sender.

    Attributes:
        code: `UNKNOWN_MOOD`, `UNKNOWN_GESTURE` or `BAD_CUE`.
        known: The names that are known, where a name was not.
    """

    def __init__(self, code: str, message: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.known = known

    @classmethod
    def unknown(cls, what: str, name: str, known: tuple[str, ...]) -> CueError:
        """There is no such `what` (`mood`, `gesture`)."""
        message = f"there is no {what} {name[:40]!r}; known are {', '.join(known)}"
        return cls(f"UNKNOWN_{what.upper()}", message, known)


class SessionError(AvatarWorkerError):
    """One session failed; its neighbours are unaffected."""


class CapacityError(SessionError):
    """Every slot of this worker is taken."""

    retryable = True

    def __init__(self, active: int, capacity: int) -> None:
        super().__init__(
            f"{active} of {capacity} sessions are running; try another worker or later"
        )
        self.active = active
        self.capacity = capacity


class PeerError(SessionError):
    """LiveKit or a participant broke the contract, e.g. the room cannot be joined."""

    retryable = True


class PictureError(SessionError):
    """No more pictures can be made for one session; for others they can.

    The foreign exception is not kept, because its stack would hold what the session has drawn with.

    Attributes:
        stage: Where it failed, one of `engine.Stage`.
        raised: Name of the exception's class.
    """

    def __init__(self, stage: str, raised: str) -> None:
        super().__init__(f"no more pictures can be made: {stage} raised {raised}")
        self.stage = stage
        self.raised = raised


class InvalidTransitionError(SessionError):
    """A session was asked to move along an edge its lifecycle does not have."""


class DeviceError(AvatarWorkerError):
    """The device or its thread failed. The process exits and is restarted."""
