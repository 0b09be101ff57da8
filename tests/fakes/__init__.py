"""Honest counterparts for tests: they do the real thing, and measure it."""
