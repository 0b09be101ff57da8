"""Acoustic features to face controls: mouth, idle life, and their mixture."""
