"""Keeps the C library from hoarding memory.

Every session brings threads of the SDK with it, and glibc gives each new thread a heap of its own
that is never given back: about 4 MiB a session, measured with the SDK alone. With two heaps for all
of them a worker that has had a hundred sessions is as large as one that has had ten.
"""

from __future__ import annotations

import ctypes
from typing import Final

M_ARENA_MAX: Final = -8
ARENAS: Final = 2


def limit_arenas() -> bool:
    """Limit glibc to two heaps, best before there are threads.

    Returns:
        Whether the C library knows such a limit; another one does not need it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_ARENA_MAX, ARENAS))
