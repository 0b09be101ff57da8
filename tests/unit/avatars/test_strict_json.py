"""Rule V7."""

from __future__ import annotations

import time

import pytest

from avatar_worker.avatars.format.fault import FormatFault
from avatar_worker.avatars.format.strict_json import parse_object


def refusal(content: bytes) -> str:
    with pytest.raises(FormatFault) as caught:
        parse_object(content, "manifest.json")
    assert (caught.value.code, caught.value.rule) == ("E_JSON", "V7")
    assert caught.value.where == "manifest.json"
    return caught.value.reason


def test_plain_json_is_parsed() -> None:
    text = '{"a": [1, 2.5, true, null, "ü\\n\\u0041"], "b": {"c": -9007199254740992}}'
    assert parse_object(text.encode(), "x") == {
        "a": [1, 2.5, True, None, "ü\nA"],
        "b": {"c": -(2**53)},
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": 1, "a": 2}', "key twice"),
        (b'{"a": {"b": 1, "b": 1}}', "key twice"),
        (b'{"a": "\\u0061", "\\u0061": 1}', "key twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "not finite"),
        (b'{"a": 9007199254740993}', "2^53"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "2^53"),
        (b'{"a": "' + b"x" * 4097 + b'"}', "longer than 4096"),
        (b'{"' + b"x" * 4097 + b'": 1}', "longer than 4096"),
        (b'{"a": "\\ud800"}', "not UTF-8"),
        (b"[1]", "not an object"),
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": "unfinished', "not JSON"),
        (b"{'a': 1}", "not JSON"),
    ],
)
def test_surprises_are_refused(content: bytes, reason: str) -> None:
    assert reason in refusal(content)


def test_depth_is_bounded_before_the_parser_sees_it() -> None:
    assert "deeper" in refusal(b'{"a":' + b"[" * 200_000)
    deepest = b'{"a":' + b"[" * 15 + b"]" * 15 + b"}"
    assert parse_object(deepest, "x")
    assert "deeper" in refusal(b'{"a":' + b"[" * 16 + b"]" * 16 + b"}")


def test_brackets_in_strings_are_no_depth() -> None:
    text = b'{"a": "' + b"[" * 100 + b'\\"' + b"{" * 100 + b'"}'
    assert parse_object(text, "x")["a"].count("[") == 100


@pytest.mark.parametrize("hostile", [b'"' + b'\\"' * 500_000, b'"\\' * 500_000, b'""' * 500_000])
def test_scanning_is_linear_in_the_length(hostile: bytes) -> None:
    start = time.process_time()
    refusal(b'{"a": ' + hostile)
    assert time.process_time() - start < 5
