"""Sound before pictures, where the operating system can tell threads apart."""

from __future__ import annotations

import os
import threading
from typing import Final

DRAWING: Final = 5
"""Nice value of the thread that draws. The SDK's threads send sound every 10 ms, and a receiver widens
its buffer for good by what they are late; a late picture is only repeated."""


def yield_to_sound() -> None:
    """Lower the priority of the calling thread among the threads of this process, on Linux.

    Elsewhere nice values belong to processes, and nothing is changed.
    """
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        thread = threading.get_native_id()
        lower = max(
            DRAWING, os.getpriority(os.PRIO_PROCESS, thread)
        )  # raising it again is not ours
        os.setpriority(os.PRIO_PROCESS, thread, lower)
