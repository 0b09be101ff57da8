"""Acoustic features to face controls: mouth, idle life, moods, and their mixture."""

from .cues import Cue, Gesture, Mood, Turn
from .mixer import FaceMixer
from .state import Activity

__all__ = ["Activity", "Cue", "FaceMixer", "Gesture", "Mood", "Turn"]
