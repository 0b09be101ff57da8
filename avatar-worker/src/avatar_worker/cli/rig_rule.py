"""Rule V29: at rest and at the corners of the control box nothing folds and the background stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avatar_worker.errors import AvatarCorruptError

if TYPE_CHECKING:
    from avatar_worker.avatars import Avatar
    from avatar_worker.avatars.judge import Finding


def check_rig(avatar: Avatar) -> None:
    """Draw the extremes of an avatar and look for what no reader sees in a file.

    Raises:
        AvatarCorruptError: `E_RIG` (V29), with the face at which it was found.
    """
    from avatar_worker.avatars.judge.still import background_stays, nothing_folds

    from .avatars_stage import RenderStage

    stage = RenderStage(avatar)
    try:
        found = [*nothing_folds(stage), *background_stays(stage)]
    finally:
        stage.close()
    for finding in found:
        if not finding.ok:
            raise AvatarCorruptError(avatar.id, "E_RIG", "V29", finding.what, _sentence(finding))


def _sentence(finding: Finding) -> str:
    return f"{finding.what}: {finding.value:g} {finding.unit}".rstrip() + f" ({finding.note})"
