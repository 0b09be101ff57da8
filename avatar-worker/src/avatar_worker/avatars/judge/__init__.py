"""Does an avatar look right? The visual criteria that can be measured on its file alone."""

from .criteria import Finding, judge
from .stage import Stage

__all__ = ["Finding", "Stage", "judge"]
