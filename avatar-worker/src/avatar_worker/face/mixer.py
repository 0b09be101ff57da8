"""Everything a face does at one moment, mixed into one set of controls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.clock import TICKS_PER_SECOND, Ticks
from avatar_worker.frames import CONTROL_INDEX, FaceControls, Features, HeadPose

from .blink import Blinks
from .breath import Breath
from .brows import Brows
from .gaze import Gaze
from .head import Eased, Head
from .manner import EASE_S, MANNERS, Manner, Temper
from .mouth import Mouth
from .prosody import Prosody
from .state import Activity

_LONGEST_STEP_S: Final = 0.5
_NOD_SHARE: Final = 0.3
_ASSENT_SHARE: Final = 0.4
_BLINK_WITH_THOUGHT: Final = 0.7
_BLINK_WITH_SHIFT: Final = 0.25
_LARGE_SHIFT_DEG: Final = 6.0
_PHRASE_END_S: Final = 0.25
_PHRASE_END_HAZARD: Final = 3.0
_NOD_AFTER_BLINK_S: Final = 0.15
_REACTION_S: Final = 0.12
_BEAT_DEG: Final = 2.5
_BREATH_PITCH_DEG: Final = 0.4  # times fullness of at most .4: .15 degrees
_EYE_LIMIT_DEG: Final = (20.0, 12.0, 18.0)  # sideways, up, down
_SIDEWAYS_DEG: Final = 30.0
_UP_DEG: Final = 25.0
_DOWN_DEG: Final = 30.0


class FaceMixer:
    """One session's face. The same seed and the same calls give the same life.

    Args:
        seed: Of the session.
        idle: The `idle` block of the avatar's manifest; may be empty.
        mouth_open_scale: Factor on everything that parts the lips, for mouths that are small or
            wide on their face.
    """

    def __init__(
        self, *, seed: int, idle: Mapping[str, Any], mouth_open_scale: float = 1.0
    ) -> None:
        self._temper = Temper.of(idle)
        noises = np.random.default_rng([seed, self._temper.seed]).spawn(7)
        self._noise = noises[0]
        self._blinks = Blinks(noises[1])
        self._gaze = Gaze(noises[2])
        self._head = Head(noises[3])
        self._breath = Breath(noises[4])
        self._brows = Brows(noises[5])
        self._mouth = Mouth(noises[6], open_scale=mouth_open_scale)
        self._prosody = Prosody()
        self._activity = Activity.IDLE
        self._habits = Eased(_habits(MANNERS[Activity.IDLE], 1.0), EASE_S)
        self._last: Ticks | None = None
        self._phrase_ended = -math.inf

    def frame(self, now: Ticks, *, features: Features | None, activity: Activity) -> FaceControls:
        """Return the face for the picture at `now`.

        Args:
            now: The session's clock; rises from call to call, usually by 40 ms. A step back
                counts as none, a gap over half a second as half a second.
            features: What the voice says at this picture; None while nobody speaks: then the
                mouth is at rest within 120 ms.
            activity: What the person does.
        """
        step = 0 if self._last is None else max(0, now - self._last)
        self._last = now
        dt = min(_LONGEST_STEP_S, step / TICKS_PER_SECOND)
        after = now / TICKS_PER_SECOND
        before = after - dt

        self._prosody.step(after, dt, features)
        if activity is not self._activity:
            self._change(after, activity)
        manner = MANNERS[activity]
        *sway, lean_yaw, lean_pitch, sway_hz, smile, press, brow = self._habits.at(after).tolist()

        looks_at = self._gaze.step(after, manner)
        if self._gaze.shift >= _LARGE_SHIFT_DEG and self._chance(_BLINK_WITH_SHIFT):
            self._blink(after)
        lids = self._blinks.step(before, after, self._blink_interval(after, manner))
        self._follow_voice(after)

        temper = self._temper
        chest = self._breath.step(
            dt,
            rate=temper.breath,
            speaking=activity is Activity.SPEAKING,
            pause=self._prosody.pause,
        )
        yaw, pitch, roll = (s * f for s, f in zip(sway, temper.sway, strict=True))
        moves = float(any(temper.sway))
        head = self._head.step(
            after,
            dt,
            sway_deg=(yaw, pitch, roll),
            sway_hz=sway_hz,
            lean_deg=(lean_yaw * moves, lean_pitch * moves),
            beat_deg=moves * (_BEAT_DEG * self._prosody.beat - _BREATH_PITCH_DEG * chest),
        )
        weights = self._mouth.step(before, after, features, smile=smile, press=press)
        self._draw_eyes(weights, looks_at, head, lids)
        inner, left, right = self._brows.step(after, dt, activity, brow)
        weights[CONTROL_INDEX["browInnerUp"]] = inner
        weights[CONTROL_INDEX["browOuterUpLeft"]] = left
        weights[CONTROL_INDEX["browOuterUpRight"]] = right
        weights[CONTROL_INDEX["breath"]] = chest
        return FaceControls(now, weights, head)

    def _change(self, now: float, activity: Activity) -> None:
        """Begin another state: eyes first, then the head; a blink or a nod, never both."""
        left, self._activity = self._activity, activity
        self._gaze.manner_changes(now)
        self._habits.towards(_habits(MANNERS[activity], self._gaze.side), now)
        self._brows.manner_changes(now, activity)
        thought = Activity.THINKING in (left, activity)
        if left is Activity.LISTENING and self._chance(_ASSENT_SHARE):
            self._nod_in_assent(now + _REACTION_S)
        elif thought and self._chance(_BLINK_WITH_THOUGHT):
            self._blink(now)

    def _follow_voice(self, now: float) -> None:
        """Let accents raise the brows and bow the head, and phrases end with a blink."""
        if self._prosody.pause:
            self._phrase_ended = now
        if not self._prosody.accent:
            return
        self._brows.accent(now, self._prosody.accent)
        if any(self._temper.sway) and self._chance(_NOD_SHARE):
            self._head.nod_with_accent(self._nod_time(now), self._prosody.accent)

    def _nod_in_assent(self, now: float) -> None:
        if any(self._temper.sway):
            self._head.nod_in_assent(self._nod_time(now))

    def _nod_time(self, now: float) -> float:
        """Return when a nod may begin: not with a blink, which would look like a glitch."""
        return max(now, self._blinks.started_at() + _NOD_AFTER_BLINK_S)

    def _blink(self, now: float) -> None:
        if self._temper.blink > 0:
            self._blinks.force(now)

    def _blink_interval(self, now: float, manner: Manner) -> float:
        """Return the mean time between blinks at this moment."""
        if self._temper.blink <= 0:
            return math.inf
        hurry = _PHRASE_END_HAZARD if now - self._phrase_ended < _PHRASE_END_S else 1.0
        return manner.blink_s / (self._temper.blink * hurry)

    def _draw_eyes(
        self,
        weights: npt.NDArray[np.float32],
        looks_at: tuple[float, float],
        head: HeadPose,
        lids: tuple[float, float],
    ) -> None:
        """Write gaze and lids. The eyes stay on their target while the head sways."""
        if self._temper.gaze:
            sideways, up, down = _EYE_LIMIT_DEG
            x = min(sideways, max(-sideways, looks_at[0] - head.yaw))
            y = min(down, max(-up, looks_at[1] - head.pitch))
            # The subject's left eye is at image right: it looks out when both look to image right.
            right, left = max(0.0, x) / _SIDEWAYS_DEG, max(0.0, -x) / _SIDEWAYS_DEG
            for name, value in (
                ("eyeLookOutLeft", right),
                ("eyeLookInRight", right),
                ("eyeLookInLeft", left),
                ("eyeLookOutRight", left),
                ("eyeLookDownLeft", max(0.0, y) / _DOWN_DEG),
                ("eyeLookDownRight", max(0.0, y) / _DOWN_DEG),
                ("eyeLookUpLeft", max(0.0, -y) / _UP_DEG),
                ("eyeLookUpRight", max(0.0, -y) / _UP_DEG),
            ):
                weights[CONTROL_INDEX[name]] = value
        for side, closed in zip(("Left", "Right"), lids, strict=True):
            weights[CONTROL_INDEX[f"eyeBlink{side}"]] = closed
            weights[CONTROL_INDEX[f"eyeSquint{side}"]] = 0.1 * closed

    def _chance(self, share: float) -> bool:
        return bool(self._noise.uniform() < share)


def _habits(manner: Manner, side: float) -> tuple[float, ...]:
    """Return the part of a manner that eases into the next, in a fixed order."""
    yaw, pitch = manner.lean_deg
    rest = (manner.smile, manner.press, manner.brow)
    return (*manner.sway_deg, side * yaw, pitch, manner.sway_hz, *rest)
