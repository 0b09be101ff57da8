"""The four steps that make pictures, each for one item of one picture: what one GPU thread does.

They are plain functions, compiled for GPUs (`ptx`) and, the same lines, for CPUs (tests), so that
a machine without a GPU checks every pixel. Arithmetic on pixels is float32; a constant that is not
would turn it to float64, which most GPUs do 32 times slower.

Every step is called with

    item    its thread's number within the picture; what lies beyond the last does nothing
    row     which picture of the batch
    ints    integers and textures of all avatars, int32
    floats  geometry of all avatars, float32
    jobs    what to draw: `fields.JOB` numbers a picture, int32
    drives  poses, shares of lids, travels of parts, weights of shapes, float32
    placed  vertices on the screen, float32
    maps    which triangle lies over a pixel, from 1; 0 is none, int32
    out     I420, uint8

all flat; `fields` says what lies where.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from . import placing, shading, textures, tracing

Step = Callable[..., None]
Jit = Callable[[Any], Any]

ARRAYS: Final = ("ints", "floats", "jobs", "drives", "placed", "maps", "out")
STEPS: Final = ("place", "trace", "trace_under", "shade")
"""In their order: each needs what the one before has finished for the whole picture."""

_MODULES: Final = (textures, placing, tracing, shading)


def compiled_by(jit: Jit, raise_to: Any = None) -> dict[str, Step]:
    """Compile the steps, and what they call, for one kind of machine.

    Args:
        jit: Compiles a function for the machine.
        raise_to: Compiled `tracing.raise_to` for machines on which threads run side by side.

    Returns:
        What `jit` made of each step, by name.
    """
    scope: dict[str, Any] = {}
    for module in _MODULES:
        scope.update(vars(module))
    found = [f for m in _MODULES for f in vars(m).values() if _belongs(f, m.__name__)]
    for function in found:
        # They call each other through this scope, in which the compiled ones take their places.
        bound = FunctionType(function.__code__, scope, function.__name__)
        scope[function.__name__] = jit(bound)
    if raise_to is not None:
        scope["raise_to"] = raise_to
    return {name: scope[name] for name in STEPS}


def _belongs(value: object, module: str) -> bool:
    return isinstance(value, FunctionType) and value.__module__ == module
