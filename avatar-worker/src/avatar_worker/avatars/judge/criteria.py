"""The ten criteria in one list of findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from avatar_worker.errors import AvatarRefusedError

from . import eyes, mouth, still
from .finding import Finding
from .stage import Stage

SLITS: Final = ("mouth", "lid_l", "lid_r")

CRITERIA: Final[tuple[Callable[[Stage], Sequence[Finding]], ...]] = (
    mouth.lips_close,
    still.background_stays,
    still.body_stays,
    still.motion_is_even,
    eyes.blinks_are_complete,
    still.upper_face_is_the_photo,
    mouth.light_in_the_mouth,
    mouth.teeth_are_rigid,
    mouth.shapes_keep_their_order,
    still.nothing_folds,
    eyes.gaze_arrives,
    still.head_turns,
)


def judge(stage: Stage, progress: Callable[[float], object] = lambda share: None) -> list[Finding]:
    """Measure everything, in the criteria's order; some ten seconds.

    Args:
        stage: The avatar.
        progress: Told which share is done.

    Raises:
        AvatarRefusedError: `E_RIG`, if the avatar has no mouth or no lids that could be judged.
    """
    there = {slit.name for slit in stage.avatar.rig.slits}
    lacking = [name for name in SLITS if name not in there]
    if lacking:
        raise AvatarRefusedError(
            "E_RIG", f"the avatar has no opening {lacking[0]!r}; it cannot be judged"
        )
    found: list[Finding] = []
    for number, criterion in enumerate(CRITERIA, start=1):
        found += criterion(stage)
        progress(number / len(CRITERIA))
    return found


__all__ = ["Finding", "judge"]
