"""Marks beside a recording: which mood and which gesture at which second.

    {"marks": [{"at": 0.0, "mood": "happy", "intensity": 0.6, "fade": 0.4},
               {"at": 1.35, "gesture": "nod"}]}

`at` is in seconds of the recording. Whoever has the times of words writes them there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from avatar_worker.clock import TICKS_PER_SECOND, Ticks
from avatar_worker.errors import ConfigError, CueError
from avatar_worker.face import Cue
from avatar_worker.face.cues import read_gesture, read_mood

LARGEST: Final = 4 * 1024 * 1024
MOST_MARKS: Final = 10_000
SHAPE: Final = '{"marks": [{"at": 1.2, "mood": "happy"}, {"at": 2.0, "gesture": "nod"}]}'


@dataclass(frozen=True, slots=True)
class Mark:
    """A cue and the place in the recording where it is followed."""

    at: Ticks
    cue: Cue


def read_marks(path: Path) -> list[Mark]:
    """Read a file of marks.

    Returns:
        The marks in the order of their times; those of one time in the order of the file.

    Raises:
        ConfigError: If the file cannot be read or holds anything else. A sentence that names the
            mark, counted from 1.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the marks {path}: {error.strerror}") from None
    if len(content) > LARGEST:
        raise ConfigError(f"the marks {path} are larger than {LARGEST // 1024 // 1024} MiB")
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_once)
    except _TwiceError as error:
        raise ConfigError(f"the marks {path} hold the key {error} twice in one object") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the marks {path} are not JSON: {error}") from None
    if not isinstance(document, dict) or list(document) != ["marks"]:
        raise ConfigError(f"the marks {path} should look like {SHAPE}")
    listed = document["marks"]
    if not isinstance(listed, list) or len(listed) > MOST_MARKS:
        raise ConfigError(f"the marks {path} should be a list of at most {MOST_MARKS}")
    marks = [_mark(path, number, given) for number, given in enumerate(listed, 1)]
    return sorted(marks, key=lambda mark: mark.at)


def check_marks(marks: list[Mark], length: int) -> None:
    """Check that all marks lie within a recording of `length` ticks.

    Raises:
        ConfigError: If one lies behind its end.
    """
    if marks and marks[-1].at > length:
        last, end = marks[-1].at / TICKS_PER_SECOND, length / TICKS_PER_SECOND
        raise ConfigError(f"a mark at {last:g} s lies behind the end of the speech at {end:g} s")


class _TwiceError(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _TwiceError(repr(key[:40]))
        found[key] = value
    return found


def _mark(path: Path, number: int, given: Any) -> Mark:
    where = f"mark {number} of {path}"
    if not isinstance(given, dict):
        raise ConfigError(f"{where} should look like one of {SHAPE}")
    rest = dict(given)
    at = rest.pop("at", None)
    is_number = isinstance(at, int | float) and not isinstance(at, bool)
    if not is_number or not 0 <= at <= 24 * 3600:  # false for NaN
        raise ConfigError(f"{where}: `at` should be the second of the speech, from 0")
    if ("mood" in rest) == ("gesture" in rest):
        raise ConfigError(f"{where} should have either a `mood` or a `gesture`")
    try:
        cue: Cue = read_mood(rest) if "mood" in rest else read_gesture(rest)
    except CueError as error:
        raise ConfigError(f"{where}: {error}") from None
    return Mark(Ticks(round(at * TICKS_PER_SECOND)), cue)
