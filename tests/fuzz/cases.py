"""Run cases against the reader, and keep count."""

from __future__ import annotations

import resource
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format import read_avatar
from avatar_worker.errors import AvatarError

from .mutations import Mutant, mutant, sound_files

SLOWEST: Final = 2.0
"""Seconds of CPU that one file may take."""

Reader = Callable[[bytes], Avatar]


def read(content: bytes) -> Avatar:
    """The reader under test."""
    return read_avatar(content, avatar_id="fuzz")


@dataclass
class Count:
    """What became of some cases.

    Attributes:
        cases: How many there were.
        accepted: How many of them are avatars.
        refused: The others by kind of change and error code.
        failures: Number of a case, and what went wrong.
        slowest_s: CPU seconds of the slowest case.
        peak_rss_mb: The most memory that this process ever had.
        cpu_s: CPU seconds in all.
    """

    cases: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_rss_mb: float = 0.0
    cpu_s: float = 0.0

    def add(self, other: Count) -> None:
        """Count the other's cases as well."""
        self.cases += other.cases
        self.accepted += other.accepted
        self.refused += other.refused
        self.failures += other.failures
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.peak_rss_mb = max(self.peak_rss_mb, other.peak_rss_mb)
        self.cpu_s += other.cpu_s

    def as_json(self) -> dict[str, Any]:
        """Return plain numbers, to be written down."""
        return {**vars(self), "refused": dict(sorted(self.refused.items()))}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Count:
        """Read what `as_json` gave."""
        refused, failures = Counter(content["refused"]), [(i, t) for i, t in content["failures"]]
        return cls(**{**content, "refused": refused, "failures": failures})


def run_cases(
    seed: int, numbers: Iterable[int], *, reader: Reader = read, begin: Callable[[int], object] = id
) -> Count:
    """Read one mutant after the other.

    Args:
        seed: Other seeds give other files.
        numbers: Which cases.
        reader: What reads them.
        begin: Told the number of each case before it begins.
    """
    count = Count()
    for number in numbers:
        begin(number)
        case = mutant(seed, number)
        start = time.process_time()
        failure = _read_one(case, count, reader)
        took = time.process_time() - start
        count.cases += 1
        count.cpu_s += took
        count.slowest_s = max(count.slowest_s, took)
        if not failure and took > SLOWEST:
            failure = f"took {took:.1f} s"
        if failure:
            count.failures.append((number, f"{case.kind}: {failure}"))
    count.peak_rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return count


def _read_one(case: Mutant, count: Count, reader: Reader) -> str:
    """Return what is wrong, or nothing."""
    try:
        avatar = reader(case.content)
    except AvatarError as error:
        count.refused[f"{case.kind} {getattr(error, 'code', type(error).__name__)}"] += 1
        return ""
    except Exception:
        return traceback.format_exc(limit=-4)
    count.accepted += 1
    if not case.sealed and case.content not in sound_files():
        return "a change went unnoticed"
    if not all(np.isfinite(mesh.xy).all() for mesh in avatar.rig.meshes):
        return "a vertex is not finite"
    return ""
