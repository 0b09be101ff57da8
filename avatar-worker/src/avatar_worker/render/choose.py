"""Picks a renderer by name."""

from __future__ import annotations

from .renderer import Renderer


def make_renderer(name: str) -> Renderer:
    """Return the renderer that a setting names.

    Args:
        name: `cpu`, `reference`, or `auto` for the best one here.

    Raises:
        ValueError: If the name is none of these.
    """
    if name == "reference":
        from .reference import ReferenceRenderer

        return ReferenceRenderer()
    if name in ("auto", "cpu"):
        from .cpu import CpuRenderer

        return CpuRenderer()
    raise ValueError(f"there is no renderer {name!r}")
