"""Run a small TensorFlow Lite net on the CPU."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.errors import ConfigError

Floats = npt.NDArray[np.float32]

GREETING: Final = b"Created TensorFlow Lite XNNPACK delegate"
"""Part of a line that the library prints for the first net of a process, on standard error."""


class Net:
    """One net with one input. One thread at a time runs it; others wait.

    Raises:
        ConfigError: If the extra `build` is not installed.
    """

    def __init__(self, content: bytes) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as fault:
            raise ConfigError(
                "building avatars needs more packages; run: pip install 'avaluma-avatar-worker[build]'"
            ) from fault
        with without_greeting():
            self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [d["index"] for d in self._interpreter.get_output_details()]
        self._lock = threading.Lock()

    def __call__(self, x: npt.NDArray[np.floating[Any]]) -> list[Floats]:
        """Return every output for `x`, float32, in the shape the net wants."""
        with self._lock:
            self._interpreter.set_tensor(self._input, np.ascontiguousarray(x, np.float32))
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(k).copy() for k in self._outputs]


@contextmanager
def without_greeting() -> Iterator[None]:
    """Hold standard error back and leave the greeting out of it; all else is passed on.

    The library has no switch for it, and writes past `sys.stderr`.
    """
    sys.stderr.flush()
    try:
        real = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if GREETING not in line:
                    os.write(2, line)
