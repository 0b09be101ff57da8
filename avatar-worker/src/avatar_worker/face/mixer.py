"""Everything a face does at one moment, mixed into one set of controls."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from avatar_worker.clock import TICKS_PER_SECOND, Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, Features, Tone

from .blink import Blinks
from .breath import Breath
from .brows import Brows
from .cues import Cue, Gesture, Mood, Turn
from .curves import Eased
from .eyes import draw_gaze, draw_lids
from .gaze import Gaze
from .gestures import Gestures
from .head import Head
from .intonation import Intonation
from .manner import EASE_S, MANNERS, Manner, Temper
from .moods import NO_WEIGHTS, Moods
from .mouth import Mouth
from .prosody import Prosody
from .state import Activity

_LONGEST_STEP_S: Final = 0.5
_NOD_SHARE: Final = 0.3
_ASSENT_SHARE: Final = 0.4
_INVITED_SHARE: Final = 0.5
_BLINK_WITH_THOUGHT: Final = 0.7
_BLINK_WITH_SHIFT: Final = 0.25
_LARGE_SHIFT_DEG: Final = 6.0
_PHRASE_END_S: Final = 0.25
_PHRASE_END_HAZARD: Final = 3.0
_NOD_AFTER_BLINK_S: Final = 0.15
_NOD_APART_S: Final = 0.06
_NOD_LEAD_S: Final = 0.05
_BROW_LEAD_S: Final = 0.04
"""What an accent asks for is under way already, or its height would come after the accent."""
_REACTION_S: Final = 0.12
_BEAT_DEG: Final = 2.5
_BREATH_PITCH_DEG: Final = 0.4  # times fullness of at most .4: .15 degrees
_BROWS: Final = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
_OUTSIDE_THE_MOUTH: Final = np.array(
    [float(n.startswith(("brow", "eye", "cheek"))) for n in CONTROL_NAMES]
)
_MOST_CUES: Final = 16
"""Cues that wait for the next picture; older ones are dropped."""


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
        noises = np.random.default_rng([seed, self._temper.seed]).spawn(8)
        self._noise = noises[0]
        self._blinks = Blinks(noises[1])
        self._gaze = Gaze(noises[2])
        self._head = Head(noises[3])
        self._breath = Breath(noises[4])
        self._brows = Brows(noises[5])
        self._mouth = Mouth(noises[6], open_scale=mouth_open_scale)
        self._gestures = Gestures(noises[7])
        self._moods = Moods()
        self._prosody = Prosody()
        self._intonation = Intonation()
        self._cues: deque[Cue] = deque(maxlen=_MOST_CUES)
        self._activity = Activity.IDLE
        self._habits = Eased(_habits(MANNERS[Activity.IDLE], 1.0), EASE_S)
        self._last: Ticks | None = None
        self._phrase_ended = -math.inf

    def hear(self, tone: Tone) -> None:
        """Take the next 20 ms of the voice, as early as they are known."""
        self._intonation.hear(tone)

    def express(self, cue: Cue) -> None:
        """Follow a cue, from the next picture on."""
        self._cues.append(cue)

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

        self._prosody.step(dt, features)
        while self._cues:
            self._follow(self._cues.popleft(), after)
        if activity is not self._activity:
            self._change(after, activity)
        manner = MANNERS[activity]
        *sway, lean_yaw, lean_pitch, sway_hz, smile, press, brow = self._habits.at(after).tolist()
        mood, mood_lean = self._moods.at(after)
        gesture, turn = self._gestures.at(after)
        none = mood is NO_WEIGHTS and gesture is NO_WEIGHTS
        added = None if none else mood + gesture
        extra = (mood_lean + turn).tolist()
        lively = self._intonation.arousal if activity is Activity.SPEAKING else 1.0

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
            lean_deg=(
                moves * (lean_yaw + extra[0]),
                moves * (lean_pitch + extra[1]),
                moves * extra[2],
            ),
            beat_deg=moves * (_BEAT_DEG * lively * self._prosody.beat - _BREATH_PITCH_DEG * chest),
        )
        weights = self._mouth.step(
            before, after, features, smile=smile, press=press, mood=added, liveliness=lively
        )
        if added is not None:
            weights += np.asarray(added * _OUTSIDE_THE_MOUTH, np.float32)
        if self._temper.gaze:
            draw_gaze(weights, looks_at, head)
        draw_lids(weights, lids)
        for name, raised in zip(_BROWS, self._brows.step(after, dt, activity, brow), strict=True):
            weights[CONTROL_INDEX[name]] += raised
        np.clip(weights, 0, 1, out=weights)
        weights[CONTROL_INDEX["breath"]] = chest
        return FaceControls(now, weights, head)

    def _follow(self, cue: Cue, now: float) -> None:
        """Begin what a cue asks for."""
        match cue:
            case Mood(name, intensity, fade_s):
                self._moods.set(name, intensity, fade_s, now)
            case Gesture(name):
                looks = self._gestures.begin(name, self._nod_time(now))
                if looks is not None and self._temper.gaze:
                    x, y, seconds = looks
                    self._gaze.look(now, (x, y), seconds)
            case Turn.BEGAN:
                self._brows.attend(now)
            case Turn.PAUSED:
                if self._chance(_ASSENT_SHARE):
                    self._nod_in_assent(now + _REACTION_S)
            case Turn.INVITES:
                if self._activity is Activity.LISTENING and self._chance(_INVITED_SHARE):
                    self._nod_in_assent(now)

    def _change(self, now: float, activity: Activity) -> None:
        """Begin another state: eyes first, then the head; perhaps with a blink."""
        left, self._activity = self._activity, activity
        self._gaze.manner_changes(now)
        self._habits.towards(_habits(MANNERS[activity], self._gaze.side), now)
        self._brows.manner_changes(now, activity)
        thought = Activity.THINKING in (left, activity)
        if thought and self._chance(_BLINK_WITH_THOUGHT):
            self._blink(now)

    def _follow_voice(self, now: float) -> None:
        """Let accents raise the brows and bow the head, and phrases end with a blink."""
        if self._prosody.pause:
            self._phrase_ended = now
        lively = self._intonation.arousal
        if peak := self._intonation.take_peak():
            self._brows.accent(now - _BROW_LEAD_S, peak, liveliness=lively)
        prominence = self._intonation.take_prominence()
        if prominence and any(self._temper.sway) and self._chance(_NOD_SHARE):
            begun = max(now - _NOD_LEAD_S, self._blinks.started_at() + _NOD_AFTER_BLINK_S)
            self._head.nod_with_accent(begun, prominence)

    def _nod_in_assent(self, now: float) -> None:
        if any(self._temper.sway):
            self._head.nod_in_assent(self._nod_time(now))

    def _nod_time(self, now: float) -> float:
        """Return when a nod may begin: not with a blink, which would look like a glitch."""
        return max(now, self._blinks.started_at() + _NOD_AFTER_BLINK_S)

    def _blink(self, now: float) -> None:
        if self._temper.blink > 0 and not self._head.nod_begins(now, _NOD_APART_S):
            self._blinks.force(now)

    def _blink_interval(self, now: float, manner: Manner) -> float:
        """Return the mean time between blinks at this moment."""
        if self._temper.blink <= 0 or self._head.nod_begins(now, _NOD_APART_S):
            return math.inf
        hurry = _PHRASE_END_HAZARD if now - self._phrase_ended < _PHRASE_END_S else 1.0
        return manner.blink_s / (self._temper.blink * hurry)

    def _chance(self, share: float) -> bool:
        return bool(self._noise.uniform() < share)


def _habits(manner: Manner, side: float) -> tuple[float, ...]:
    """Return the part of a manner that eases into the next, in a fixed order."""
    yaw, pitch = manner.lean_deg
    rest = (manner.smile, manner.press, manner.brow)
    return (*manner.sway_deg, side * yaw, pitch, manner.sway_hz, *rest)
