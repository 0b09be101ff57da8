"""Acoustic features to face controls: mouth, idle life, and their mixture."""

from .mixer import FaceMixer
from .state import Activity

__all__ = ["Activity", "FaceMixer"]
