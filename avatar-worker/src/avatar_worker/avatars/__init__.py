"""Avatar files: open, validate, cache."""

from .avatar import Avatar, Canvas, Layer, Mesh, Rig, Slit, Subject
from .library import AvatarEntry, AvatarLibrary

__all__ = [
    "Avatar",
    "AvatarEntry",
    "AvatarLibrary",
    "Canvas",
    "Layer",
    "Mesh",
    "Rig",
    "Slit",
    "Subject",
]
