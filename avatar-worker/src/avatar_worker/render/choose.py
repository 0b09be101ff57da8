"""Picks a renderer by name."""

from __future__ import annotations

import logging

from avatar_worker.errors import DeviceError

from .renderer import Renderer

logger = logging.getLogger(__name__)


def make_renderer(name: str) -> Renderer:
    """Return the renderer that a setting names.

    Args:
        name: `cpu`, `cuda`, `reference`, or `auto` for the best one here: the GPU if one can be
            used, else the CPU.

    Raises:
        DeviceError: If `cuda` is asked for and there is no GPU that can be used.
        ValueError: If the name is none of these.
    """
    if name == "reference":
        from .reference import ReferenceRenderer

        return ReferenceRenderer()
    if name in ("auto", "cuda"):
        from .cuda import cuda_renderer

        try:
            return cuda_renderer()
        except DeviceError as error:
            if name == "cuda":
                raise
            logger.info("faces are drawn by the CPU", extra={"cause": str(error)})
    if name in ("auto", "cpu"):
        from .cpu import CpuRenderer

        return CpuRenderer()
    raise ValueError(f"there is no renderer {name!r}")


def most_at_once(renderer: Renderer) -> int:
    """How many pictures to ask a renderer for at a time.

    A GPU is quicker with many; on a CPU those at the end of a long row would only wait.
    """
    return 32 if renderer.name == "cuda" else 8
