"""Avatar files: open, validate, cache."""

from .avatar import Avatar, Canvas, Layer, Mesh, Rig, Slit, Subject

__all__ = ["Avatar", "Canvas", "Layer", "Mesh", "Rig", "Slit", "Subject"]
