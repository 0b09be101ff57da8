"""How the worker ends.

SIGTERM or SIGINT: `/ready` says no and new starts get 503 `DRAINING`; the dispatch door takes no
more jobs; running sessions get the drain timeout to end by themselves and are then ended, each
leaving its room; the HTTP door closes last, so that stop and health work to the end. A second
signal skips the waiting. A lost device skips it too, and the exit code says so.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Ending:
    """Whether the worker should end, and whether at once."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self.urgent = asyncio.Event()

    def ask(self) -> None:
        """Ask for the end; asked twice, it comes at once."""
        if self.wanted.is_set():
            self.urgent.set()
        self.wanted.set()


@contextmanager
def on_signals(ending: Ending) -> Iterator[None]:
    """Let SIGTERM and SIGINT ask for the end while the block runs.

    Outside the main thread, where signals cannot be handled, this does nothing.
    """
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    for number in SIGNALS:
        try:
            loop.add_signal_handler(number, ending.ask)
        except (ValueError, RuntimeError, NotImplementedError):
            break
        handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
