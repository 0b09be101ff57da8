"""Shapes in time and random draws that the behaviours are made of."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def smoothstep(low: float, high: float, x: float) -> float:
    """Rise from 0 at `low` to 1 at `high`, level at both ends."""
    t = min(1.0, max(0.0, (x - low) / (high - low)))
    return t * t * (3 - 2 * t)


def log_normal(noise: np.random.Generator, mean: float, cv: float) -> float:
    """Draw a positive time of that mean and coefficient of variation."""
    variance = math.log1p(cv * cv)
    return mean * math.exp(noise.normal(-variance / 2, math.sqrt(variance)))


class Drift:
    """A random walk that returns: standard deviation 1, smooth, never the same twice.

    A critically damped second-order Ornstein-Uhlenbeck process, stepped exactly but for the
    straight line that stands for the inner noise within a step.
    """

    __slots__ = ("_inner", "_noise", "_outer")

    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise
        self._inner = float(noise.standard_normal())
        self._outer = (self._inner + float(noise.standard_normal())) / 2

    def step(self, dt: float, hz: float) -> float:
        """Go on by `dt` seconds at a corner frequency of `hz`."""
        if dt <= 0 or hz <= 0:
            return self._outer * math.sqrt(2)
        rate = 2 * math.pi * hz
        kept = math.exp(-rate * dt)
        before = self._inner
        fresh = math.sqrt(1 - kept * kept) * float(self._noise.standard_normal())
        self._inner = kept * before + fresh
        slope = 1 - (1 - kept) / (rate * dt)
        self._outer = kept * self._outer + (1 - kept) * before + slope * (self._inner - before)
        return self._outer * math.sqrt(2)


class Gesture:
    """A rise and a fall of a given height, once.

    Attributes:
        start: When the last one began or will begin; minus infinity if there was none.
    """

    __slots__ = ("_fall", "_height", "_rise", "start")

    def __init__(self) -> None:
        self.start, self._height, self._rise, self._fall = -math.inf, 0.0, 1.0, 1.0

    def begin(self, start: float, height: float, *, rise: float, fall: float) -> None:
        """Rise to `height` within `rise` seconds from `start`, then fall within `fall`."""
        self.start, self._height, self._rise, self._fall = start, height, rise, fall

    def busy(self, now: float) -> bool:
        """Tell whether it has been begun and is not over."""
        return now < self.start + self._rise + self._fall

    def at(self, now: float) -> float:
        """Return the height now."""
        up = smoothstep(0, self._rise, now - self.start)
        down = smoothstep(0, self._fall, now - self.start - self._rise)
        return self._height * (up - down)


class Eased:
    """Numbers that move to new values within a set time, starting and ending gently."""

    def __init__(self, values: tuple[float, ...], seconds: float) -> None:
        self._start, self._target = np.array(values), np.array(values)
        self._since, self._seconds, self._usual_s = -math.inf, seconds, seconds

    def towards(
        self, values: tuple[float, ...], now: float, *, seconds: float | None = None
    ) -> None:
        """Set out for new values; in another time than usual, 0 for at once."""
        self._start = self.at(now)
        self._target, self._since = np.array(values), now
        self._seconds = self._usual_s if seconds is None else seconds

    def at(self, now: float) -> Floats:
        """Return the values now."""
        done = smoothstep(0, max(1e-9, self._seconds), now - self._since)
        values: Floats = self._start + (self._target - self._start) * done
        return values
