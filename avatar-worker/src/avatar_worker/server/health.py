"""Is the process alive, and may it be given work? Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from avatar_worker.version import __version__

Check = Callable[[], str | None]
"""Return why the worker should get no new work, in a few words, or None. Called in a thread."""


def health(active: int) -> dict[str, Any]:
    """Return the body of /health, in the vendor's shape."""
    return {"status": "healthy", "active_sessions": active, "version": __version__}


def not_ready(checks: Iterable[Check]) -> list[str]:
    """Return every reason against new work; none means ready."""
    return [reason for check in checks if (reason := check()) is not None]
