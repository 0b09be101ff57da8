"""Log lines: a fixed sentence plus fields, pretty for people or JSON for machines.

Personal values travel only in fields named `lk.pii.*`. Unless the operator asks for them they are
written as a keyed hash that changes every day: enough to follow one session, not a person.
Tokens and keys are never written, whoever logs them. Of a foreign exception only the class and
the stack are written, because the texts of HTTP and LiveKit errors carry URLs and headers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from avatar_worker.errors import AvatarWorkerError

PII_PREFIX: Final = "lk.pii."
SECRET_WORDS: Final = ("token", "secret", "password", "authorization", "license_key", "api_key")
HIDDEN: Final = "[hidden]"

_JWT = re.compile(r"eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?")
_QUERY = re.compile(r"(\b(?:wss?|https?)://[^\s?'\"]+)\?[^\s'\"]*")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}


class Pseudonyms:
    """Turns personal values into hashes under a key that lives as long as the process."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def of(self, value: object, day: str) -> str:
        """Return 12 hex digits, the same for equal values on the same `day`."""
        text = f"{day}\0{value}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:12]


def scrub(text: str) -> str:
    """Return `text` without JSON web tokens and without query strings of URLs."""
    return _QUERY.sub(r"\1", _JWT.sub(HIDDEN, text))


class _Fields:
    """Takes the fields of a record apart, by the rules of this module."""

    def __init__(self, personal: bool, pseudonyms: Pseudonyms) -> None:
        self._personal = personal
        self._pseudonyms = pseudonyms

    def of(self, record: logging.LogRecord) -> dict[str, Any]:
        day = datetime.fromtimestamp(record.created, UTC).date().isoformat()
        return {
            name: self._value(name, value, day)
            for name, value in record.__dict__.items()
            if name not in _STANDARD and not name.startswith("_")
        }

    def _value(self, name: str, value: object, day: str) -> object:
        if name.startswith(PII_PREFIX):
            return value if self._personal else self._pseudonyms.of(value, day)
        if any(word in name.lower() for word in SECRET_WORDS):
            return HIDDEN
        if isinstance(value, bool | int | float) or value is None:
            return value
        if isinstance(value, Mapping):
            return {str(key): self._value(str(key), item, day) for key, item in value.items()}
        return scrub(str(value))


def describe(error: BaseException) -> str:
    """Return the class of `error`, with its text only where the text is ours."""
    name = type(error).__name__
    return f"{name}: {scrub(str(error))}" if isinstance(error, AvatarWorkerError) else name


def _stack(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, fields: _Fields) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        line.update(self._fields.of(record))
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe(record.exc_info[1])
            line["stack"] = _stack(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class PrettyFormatter(logging.Formatter):
    """Time, level, sentence, fields; coloured where `colour` says so."""

    def __init__(self, fields: _Fields, colour: bool) -> None:
        super().__init__()
        self._fields = fields
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, followed by the stack of an exception."""
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        level = f"{record.levelname.lower():<7}"
        extra = " ".join(f"{name}={value}" for name, value in self._fields.of(record).items())
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
            extra = f"\x1b[2m{extra}\x1b[0m" if extra else ""
        line = f"{at} {level} {scrub(record.getMessage())} {extra}".rstrip()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line += "".join(f"\n    {entry}" for entry in [describe(error), *_stack(error)])
        return line


def handler(
    *, form: str, personal: bool, stream: TextIO, pseudonyms: Pseudonyms | None = None
) -> logging.Handler:
    """Return a handler that writes to `stream`.

    Args:
        form: `pretty`, `json`, or `auto`: pretty where `stream` is a terminal.
        personal: Write `lk.pii.*` values in clear.
        stream: Where the lines go.
        pseudonyms: The hash to use; a fresh key by default.
    """
    fields = _Fields(personal, pseudonyms or Pseudonyms())
    terminal = stream.isatty()
    out = logging.StreamHandler(stream)
    if form == "pretty" or (form == "auto" and terminal):
        out.setFormatter(PrettyFormatter(fields, colour=terminal))
    else:
        out.setFormatter(JsonFormatter(fields))
    return out


def configure(
    *, level: str, form: str, personal: bool = False, stream: TextIO | None = None
) -> None:
    """Send every log line of this process to `stream` (standard error by default)."""
    out = handler(form=form, personal=personal, stream=stream or sys.stderr)
    logging.basicConfig(handlers=[out], level=level.upper(), force=True)
    # Chatty below warning, and of no use to an operator.
    for name in ("aiohttp.access", "asyncio", "numba", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
