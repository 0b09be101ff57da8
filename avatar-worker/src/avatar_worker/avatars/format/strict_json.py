"""JSON without surprises (rule V7): UTF-8, no duplicate keys, bounded depth, numbers and strings."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from .fault import FormatFault

MAX_DEPTH: Final = 16
MAX_STRING: Final = 4096
MAX_INTEGER: Final = 2**53

_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""Possessive, and the closing quote optional: linear in the length whatever is sent."""


def parse_object(content: bytes, where: str, *, code: str = "E_JSON", rule: str = "V7") -> Any:
    """Parse one JSON object.

    Args:
        content: The bytes; their length has been bounded by the caller.
        where: The entry, for the error.
        code: The error's code.
        rule: The error's rule.

    Returns:
        A dict of dicts, lists, strings, ints, finite floats, bools and `None`.

    Raises:
        FormatFault: If anything but plain, unambiguous JSON is found.
    """
    try:
        if content.startswith(b"\xef\xbb\xbf"):
            raise _JsonError("starts with a byte order mark")
        plain = _bound_depth(content) and b"\\u" not in content
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
        if not plain:
            _bound_strings(value)
        if not isinstance(value, dict):
            raise _JsonError("is not an object")
    except UnicodeError:
        raise FormatFault(code, rule, where, "is not UTF-8") from None
    except json.JSONDecodeError as fault:
        reason = f"is not JSON: {fault.msg} at character {fault.pos}"
        raise FormatFault(code, rule, where, reason) from None
    except _JsonError as fault:
        raise FormatFault(code, rule, where, str(fault)) from None
    return value


class _JsonError(Exception):
    pass


def _bound_depth(content: bytes) -> bool:
    """Count brackets outside strings, so that the recursive parser below is never sent deep.

    Returns:
        Whether no string is so long as written that it may be too long.
    """
    depth, short = 0, True
    for token in _STRUCTURE.finditer(content):
        first = token.group()[:1]
        if first in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                raise _JsonError(f"is nested deeper than {MAX_DEPTH}")
        elif first in (b"}", b"]"):
            depth -= 1
        elif token.end() - token.start() > MAX_STRING:
            short = False
    return short


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _JsonError("has a key twice")
    return result


def _integer(text: str) -> int:
    # 2**53 has 16 digits; longer ones are not converted at all.
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise _JsonError("has an integer beyond 2^53")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _JsonError("has a number that is not finite")
    return value


def _constant(text: str) -> float:
    raise _JsonError(f"has {text}, which is not JSON")


def _bound_strings(value: Any) -> None:
    if isinstance(value, str):
        if len(value) > MAX_STRING:
            raise _JsonError(f"has a string longer than {MAX_STRING}")
        value.encode("utf-8")  # a lone surrogate is no character
    elif isinstance(value, list):
        for item in value:
            _bound_strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _bound_strings(key)
            _bound_strings(item)
