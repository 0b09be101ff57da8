"""One measured value and what it should be."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table.

    Attributes:
        criterion: 1 to 10.
        what: What was measured.
        value: The measured value; NaN where there was nothing to measure, which passes.
        low: The smallest good value, or `None`.
        high: The largest good value, or `None`.
        unit: Behind the value; empty for ratios.
        note: Which pose or place was the worst.
    """

    criterion: int
    what: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the goal is met."""
        if math.isnan(self.value):
            return True
        return (self.low is None or self.value >= self.low) and (
            self.high is None or self.value <= self.high
        )

    @property
    def goal(self) -> str:
        """The goal as people write it."""
        if self.low is None:
            return f"<= {self.high:g}"
        if self.high is None:
            return f">= {self.low:g}"
        return f"{self.low:g} .. {self.high:g}"

    def as_json(self) -> dict[str, object]:
        """Return a row that JSON can carry."""
        return {
            "criterion": self.criterion,
            "what": self.what,
            "value": None if math.isnan(self.value) else self.value,
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "ok": self.ok,
            "note": self.note,
        }
