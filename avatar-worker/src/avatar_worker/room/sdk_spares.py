"""What LiveKit's SDK does not give back when the *server* ends a room is used again.

Its peer connection is closed there before the tracks are taken off it (livekit/rust-sdks, issue
1443), so for the life of the process every such room strands a sound source, whose thread wakes up
a hundred times a second, and the SDK's machinery of that time, with threads of its own. Rooms that
we leave ourselves strand nothing.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final

from livekit import rtc


class SdkSpares:
    """Stranded sound sources, to be taken before new ones are made. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sources: dict[tuple[int, int], list[rtc.AudioSource]] = {}
        self._anchor: Any = None

    def source(self, rate: int, queue_ms: int) -> rtc.AudioSource:
        """Return a mono source of the running event loop with nothing queued.

        Args:
            rate: Samples per second.
            queue_ms: What its queue holds, a multiple of 10 ms.
        """
        with self._lock:
            spare = self._sources.get((rate, queue_ms))
            source = spare.pop() if spare else None
        if source is None:
            return rtc.AudioSource(rate, 1, queue_size_ms=queue_ms)
        # Dispatched sessions have event loops of their own, and the SDK has no way to say so.
        source._loop = asyncio.get_running_loop()
        return source

    def keep(self, source: rtc.AudioSource, queue_ms: int) -> None:
        """Take a stranded source for the next who needs one."""
        source.clear_queue()
        with self._lock:
            self._sources.setdefault((source.sample_rate, queue_ms), []).append(source)

    def spare(self) -> int:
        """How many sources wait to be used again."""
        with self._lock:
            return sum(map(len, self._sources.values()))

    def hold_runtime(self, room: rtc.Room) -> None:
        """Keep the native part of the first room that ends, for as long as the process lives.

        It holds the SDK's machinery, which is otherwise made anew whenever no room is left; what
        was stranded would then keep all the former ones alive.
        """
        with self._lock:
            if self._anchor is None:
                self._anchor = room._ffi_handle


SPARES: Final = SdkSpares()
"""One for the process, as is the SDK itself."""
