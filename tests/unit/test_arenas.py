"""In a process of its own: the limit holds for a whole process and cannot be taken back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MANY_THREADS = """
import ctypes, sys, threading
from avatar_worker.server.arenas import limit_arenas

if sys.argv[1] == "limited":
    assert limit_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
together = threading.Barrier(8)

def allocate():
    together.wait()
    libc.malloc(1000)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
out = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, out)
libc.fclose(out)
"""


def heaps(folder: Path, mode: str) -> int:
    """How many heaps glibc has made for eight threads that allocate at once."""
    told = folder / mode
    subprocess.run([sys.executable, "-c", MANY_THREADS, mode, str(told)], check=True)
    return told.read_text().count("<heap nr=")


def test_many_threads_share_two_heaps(tmp_path: Path) -> None:
    assert heaps(tmp_path, "limited") <= 2
    assert heaps(tmp_path, "free") > 2, "without the limit there are more: it does something"
