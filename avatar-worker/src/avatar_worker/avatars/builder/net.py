"""Run a small TensorFlow Lite net on the CPU."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from avatar_worker.errors import ConfigError

Floats = npt.NDArray[np.float32]


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
