"""The steps compiled for GPUs: written once by a developer, read by every worker.

`python -m avatar_worker.render.cuda.ptx` writes them anew after a change of the steps. It needs
`numba-cuda[cu12]`, but no GPU. Workers need neither: the driver turns PTX into its GPU's own code.
"""

from __future__ import annotations

import hashlib
import re
from importlib import import_module, resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from . import fields, placing, shading, steps, textures, tracing

CAPABILITY: Final = (7, 0)
"""Volta. A driver compiles PTX for any GPU of this capability or a later one."""

VERSION: Final = "7.0"
"""Of PTX, known to drivers since R450. The steps need nothing newer, whatever the compiler says."""

_FILE: Final = "steps.ptx"
_SOURCES: Final = (fields, placing, tracing, textures, shading, steps)
_SOURCES_WERE: Final = "// compiled from sources "
_STEP: Final = "// step "


def read_ptx() -> dict[str, str]:
    """Return the compiled steps by name."""
    _, *parts = _text().split(_STEP)
    heads = [part.partition("\n") for part in parts]
    return {name: text for name, _, text in heads}


def sources_now() -> str:
    """Return a fingerprint of the sources that the steps are compiled from."""
    whole = hashlib.sha256()
    for module in _SOURCES:
        whole.update(Path(str(module.__file__)).read_bytes())
    return whole.hexdigest()


def sources_then() -> str:
    """Return the fingerprint of the sources that the steps were compiled from."""
    return _text().split("\n", 1)[0].removeprefix(_SOURCES_WERE)


def _text() -> str:
    return (resources.files(__package__) / _FILE).read_text("ascii")


def compile_ptx() -> str:
    """Compile the steps.

    Raises:
        ImportError: If `numba-cuda[cu12]` is not installed.
    """
    from numba import types

    # By name, because their types are not told.
    cuda: Any = import_module("numba.cuda")
    dispatcher: Any = import_module("numba.cuda.dispatcher")
    # Asked for the machine's GPU, answer with the oldest one that this is for.
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=CAPABILITY)

    def raise_to(maps: Any, at: int, value: int) -> None:
        cuda.atomic.max(maps, at, value)

    def kernel_of(body: Any) -> Any:
        def kernel(
            ints: Any, floats: Any, jobs: Any, drives: Any, placed: Any, maps: Any, out: Any
        ) -> None:
            item = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
            body(item, cuda.blockIdx.y, ints, floats, jobs, drives, placed, maps, out)

        return kernel

    bodies = steps.compiled_by(cuda.jit(device=True), cuda.jit(device=True)(raise_to))
    kinds = (types.int32, types.float32, types.int32, types.float32, types.float32, types.int32)
    arrays = tuple(types.Array(kind, 1, "C") for kind in (*kinds, types.uint8))
    parts = [f"{_SOURCES_WERE}{sources_now()}\n"]
    for name, body in bodies.items():
        text, _ = cuda.compile_ptx(kernel_of(body), arrays, cc=CAPABILITY, device=False)
        parts += [f"{_STEP}{name}\n", _named(text, name)]
    return "".join(parts)


def _named(ptx: str, name: str) -> str:
    """Give the one kernel in a text a plain name, and let older drivers read it."""
    found = re.findall(r"\.entry\s+(\w+)", ptx)
    if len(found) != 1:
        raise ValueError(f"{name}: one kernel was expected, not {found}")
    return re.sub(r"(?m)^\.version .*$", f".version {VERSION}", ptx.replace(found[0], name))


def main() -> None:
    """Write the file."""
    text = compile_ptx()
    (Path(__file__).parent / _FILE).write_text(text, "ascii")


if __name__ == "__main__":
    main()
