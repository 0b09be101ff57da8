"""Marks beside a recording are read strictly; every fault is a sentence that names its mark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from avatar_worker.errors import ConfigError
from avatar_worker.face import Gesture, Mood
from avatar_worker.output.marks import MOST_MARKS, Mark, check_marks, read_marks


def written(tmp_path: Path, document: object) -> Path:
    path = tmp_path / "marks.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_moods_and_gestures_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    marks = read_marks(
        written(
            tmp_path,
            {
                "marks": [
                    {"at": 1.5, "gesture": "nod"},
                    {"at": 0, "mood": "happy", "intensity": 0.6},
                    {"at": 1.5, "mood": "neutral", "fade": 1},
                ]
            },
        )
    )
    assert marks == [
        Mark(0, Mood("happy", 0.6, 0.4)),
        Mark(72_000, Gesture("nod")),
        Mark(72_000, Mood("neutral", 1.0, 1.0)),
    ]


def test_no_marks_are_marks(tmp_path: Path) -> None:
    assert read_marks(written(tmp_path, {"marks": []})) == []


def sentence(tmp_path: Path, document: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read_marks(written(tmp_path, document))
    return str(caught.value)


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ({"at": 1, "mood": "merry"}, "no mood 'merry'; known are neutral, happy"),
        ({"at": 1, "gesture": "jump"}, "no gesture 'jump'; known are nod"),
        ({"at": 1}, "either a `mood` or a `gesture`"),
        ({"at": 1, "mood": "happy", "gesture": "nod"}, "either a `mood` or a `gesture`"),
        ({"mood": "happy"}, "`at` should be the second"),
        ({"at": -0.1, "mood": "happy"}, "`at` should be the second"),
        ({"at": "1", "mood": "happy"}, "`at` should be the second"),
        ({"at": True, "mood": "happy"}, "`at` should be the second"),
        ({"at": 1e9, "mood": "happy"}, "`at` should be the second"),
        ({"at": 10**400, "mood": "happy"}, "`at` should be the second"),
        ({"at": float("nan"), "mood": "happy"}, "`at` should be the second"),
        ({"at": 1, "mood": "happy", "intensity": 2}, "intensity must be a number from 0 to 1"),
        ({"at": 1, "mood": "happy", "strength": 1}, "no 'strength' here"),
        ({"at": 1, "gesture": "nod", "fade": 1}, "no 'fade' here"),
        ("nod", "should look like"),
    ],
)
def test_a_wrong_mark_is_named(tmp_path: Path, mark: Any, says: str) -> None:
    fine = {"at": 0, "gesture": "nod"}
    said = sentence(tmp_path, {"marks": [fine, mark]})
    assert "mark 2 of" in said
    assert says in said


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("", "are not JSON"),
        ("{", "are not JSON"),
        ("[" * 100_000, "are not JSON"),
        ("[]", "should look like"),
        ("{}", "should look like"),
        ('{"marks": 3}', "should be a list"),
        ('{"marks": [], "version": 1}', "should look like"),
        ('{"marks": [], "marks": []}', "'marks' twice"),
        ('{"marks": [{"at": 0, "at": 1, "gesture": "nod"}]}', "'at' twice"),
        ({"marks": [{"at": 0, "gesture": "nod"}] * (MOST_MARKS + 1)}, "at most 10000"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, document: object, says: str) -> None:
    assert says in sentence(tmp_path, document)


def test_a_file_that_is_missing_large_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the marks"):
        read_marks(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="cannot read the marks"):
        read_marks(tmp_path)
    path = tmp_path / "large.json"
    path.write_bytes(b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        read_marks(path)
    path.write_bytes(b'{"marks": "\xff"}')
    with pytest.raises(ConfigError, match="not JSON"):
        read_marks(path)


def test_a_mark_behind_the_end_is_refused() -> None:
    marks = [Mark(0, Gesture("nod")), Mark(96_000, Gesture("nod"))]
    check_marks(marks, 96_000)
    check_marks([], 0)
    with pytest.raises(ConfigError, match=r"a mark at 2 s lies behind .* at 1.5 s"):
        check_marks(marks, 72_000)
