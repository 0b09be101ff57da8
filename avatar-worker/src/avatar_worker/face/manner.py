"""How a person behaves in each state, in numbers, and what an avatar's file changes about them.

The values are scaled for a webcam: a head and eyes that move as much as in a conversation across
a table look restless on a screen. Blink rates lie within Doughty (2001); time spent looking at
the viewer lies between Lee, Badler & Badler (2002) and Rogers et al. (2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .state import Activity

EASE_S: Final = 0.4
"""How long the way from one manner to the next takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """One state's habits.

    Attributes:
        sway_deg: Standard deviation of the head's yaw, pitch and roll.
        sway_hz: Corner frequency of that sway.
        lean_deg: Where the head rests, yaw and pitch; yaw to the side that the eyes went.
        at_viewer_s: Mean time of a look at the viewer; 0 looks away only.
        away_s: Mean time of a look elsewhere.
        away_deg: How far a look elsewhere goes, from and to.
        away_up: Elsewhere is diagonally up.
        blink_s: Mean time from blink to blink.
        smile: Rest weight of `mouthSmile*`.
        press: Rest weight of `mouthPress*`.
        brow: Rest weight of `browInnerUp`.
    """

    sway_deg: tuple[float, float, float]
    sway_hz: float
    lean_deg: tuple[float, float] = (0.0, 0.0)
    at_viewer_s: float
    away_s: float
    away_deg: tuple[float, float]
    away_up: bool = False
    blink_s: float
    smile: float
    press: float = 0.0
    brow: float = 0.0


_IDLE: Final = Manner(
    sway_deg=(0.8, 0.5, 0.6),
    sway_hz=0.22,
    at_viewer_s=4.0,
    away_s=1.0,
    away_deg=(2.0, 6.0),
    blink_s=4.0,
    smile=0.03,
)

MANNERS: Final[Mapping[Activity, Manner]] = {
    Activity.IDLE: _IDLE,
    Activity.LISTENING: Manner(
        sway_deg=(1.2, 0.8, 0.9),
        sway_hz=0.28,
        at_viewer_s=7.0,
        away_s=0.7,
        away_deg=(2.0, 5.0),
        blink_s=4.3,
        smile=0.075,
    ),
    Activity.THINKING: Manner(
        sway_deg=(1.0, 0.8, 0.7),
        sway_hz=0.22,
        lean_deg=(3.0, -2.0),
        at_viewer_s=0.0,
        away_s=2.2,
        away_deg=(6.0, 10.0),
        away_up=True,
        blink_s=3.5,
        smile=0.02,
        press=0.1,
        brow=0.15,
    ),
    Activity.SPEAKING: Manner(
        sway_deg=(2.0, 1.3, 1.5),
        sway_hz=0.28,
        at_viewer_s=3.0,
        away_s=1.0,
        away_deg=(3.0, 8.0),
        blink_s=3.3,  # 2.7 with those at ends of phrases and with large looks
        smile=0.04,
    ),
    Activity.AWAY: Manner(
        sway_deg=_IDLE.sway_deg,
        sway_hz=_IDLE.sway_hz,
        at_viewer_s=3.0,
        away_s=1.6,
        away_deg=(3.0, 8.0),
        blink_s=_IDLE.blink_s,
        smile=_IDLE.smile,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Temper:
    """What one avatar does more or less than others; all factors are 1 for a calm person.

    Attributes:
        blink: Factor on the blink rate.
        breath: Factor on the breathing rate.
        sway: Factors on the head's yaw, pitch and roll.
        gaze: Whether the eyes move by themselves.
        seed: Makes two avatars in one session differ.
    """

    blink: float = 1.0
    breath: float = 1.0
    sway: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gaze: bool = True
    seed: int = 0

    @classmethod
    def of(cls, idle: Mapping[str, Any]) -> Temper:
        """Read the `idle` block of an avatar's manifest; what is missing is as in a calm person.

        The block's `blink_per_min` 17, `breath_per_min` 14 and `sway_deg` 1.2/.8/.6 mean factor 1.
        Style `clip` leaves eyes, head and breath to the film: all factors are 0.
        """
        if idle.get("style") == "clip":
            return cls(blink=0.0, breath=0.0, sway=(0.0, 0.0, 0.0), gaze=False)
        sway = idle.get("sway_deg", {})
        usual = {"yaw": 1.2, "pitch": 0.8, "roll": 0.6}
        yaw, pitch, roll = (float(np.clip(sway.get(k, v) / v, 0, 2)) for k, v in usual.items())
        return cls(
            blink=float(np.clip(idle.get("blink_per_min", 17) / 17, 0, 2)),
            breath=float(np.clip(idle.get("breath_per_min", 14) / 14, 0, 2)),
            sway=(yaw, pitch, roll),
            seed=int(idle.get("seed", 0)),
        )
