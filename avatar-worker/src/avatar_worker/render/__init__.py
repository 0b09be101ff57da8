"""Face controls to pictures: I420 out."""

from .renderer import Renderer, RenderSlot

__all__ = ["RenderSlot", "Renderer"]
