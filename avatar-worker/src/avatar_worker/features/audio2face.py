"""Sound to mouth controls: the small causal net, many voices in one call.

The net sees 120 ms of mel frames (80 ms of them again) and remembers the rest in a recurrent
state. The picture for time t needs sound up to t + 80 ms; sooner than that it could not know
which vowel has begun. Where 40 ms of delay matter more than that, other heads on the same memory
guess from sound up to t + 40 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.clock import Ticks, ticks_per
from avatar_worker.errors import ConfigError
from avatar_worker.frames import ANALYSIS_RATE, MOUTH_NAMES, VISEME_NAMES, Features

from . import floor
from .graph import GraphNet, Net
from .hearing import hear, new_ears
from .matrices import MatrixNet
from .mel import BANDS, FRAMES_PER_STEP, STEP
from .showing import shown
from .voices import HISTORY, VOICE, Bytes, Voices, apart, together
from .weights import contents

FloatArray = npt.NDArray[np.float32]

LOOK_AHEAD: Final = Ticks(3_840)  # 80 ms
SHORT_LOOK_AHEAD: Final = Ticks(1_920)  # 40 ms
STEP_TICKS: Final = Ticks(STEP * ticks_per(ANALYSIS_RATE))  # 1920, 40 ms
_FRAMES: Final = HISTORY + FRAMES_PER_STEP
_MOUTH: Final = slice(0, len(MOUTH_NAMES))
_VISEMES: Final = slice(len(MOUTH_NAMES), len(MOUTH_NAMES) + len(VISEME_NAMES))
_ALIKE: Final = 1e-4
"""How far a net that was taken apart may be from what its graph says; rounding is a hundredth of it."""
_FED: Final = ((STEP,), np.dtype(np.float32))


class MouthStream:
    """One voice on its way through the net. Made by `Audio2Face.open`; never shared.

    A stream starts in silence. `reset()` makes it new: use it for each segment and after a clear.
    """

    __slots__ = ("_rest", "fed", "kept", "memory")

    def __init__(self, kept: Bytes, memory: FloatArray) -> None:
        self._rest = kept, memory
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; the next feed is feed 0 again."""
        self.kept, self.memory = self._rest
        self.fed = 0


class Audio2Face:
    """The voice-to-face net, loaded once and shared by every session.

    Args:
        weights: An ONNX file of the same inputs and outputs; the packaged one if None.
        look_ahead: How much later than the picture the sound must be, 80 or 40 ms.
        keep_promises: See `showing`; False gives the net's own answer, for measuring it.

    Raises:
        ConfigError: If the file cannot be read, is another kind of net, or cannot look that far.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        look_ahead: Ticks = LOOK_AHEAD,
        keep_promises: bool = True,
    ) -> None:
        if weights is None:
            packaged = files("avatar_worker") / "assets" / "weights" / "audio2face-v5.onnx"
            with as_file(packaged) as path:
                self._net = _net(path, look_ahead)
        else:
            self._net = _net(weights, look_ahead)
        self._promises = keep_promises
        self._look_ahead = look_ahead
        kept, history = _rest()
        self._rest = kept, self._net.rest(history)
        # The loops are compiled, or loaded, before a voice waits for them.
        self.step([(self.open(), np.zeros(STEP, np.float32))])

    @property
    def look_ahead(self) -> Ticks:
        """How much later than the picture the sound must be that is fed for it."""
        return self._look_ahead

    def open(self) -> MouthStream:
        """Start a voice."""
        return MouthStream(*self._rest)

    def step(self, jobs: Sequence[tuple[MouthStream, npt.NDArray[np.float32]]]) -> list[Features]:
        """Feed 40 ms to each voice and say what each mouth does.

        Feed n of a stream (n = 0, 1, ...) covers [40 n, 40 n + 40) ms of its speech; what it
        returns is for the picture at (40 (n + 1) - look-ahead) ms. With 80 ms feed 0 therefore
        speaks of -40 ms, before the speech, and feed 1 of the picture at 0.

        Args:
            jobs: Streams, each at most once, with their next samples in [-1, 1], 16 kHz.
                float32, (640,).

        Returns:
            One `Features` for each job, in order.

        Raises:
            ValueError: If a stream comes twice, or the samples are not float32 of shape (640,).
            DeviceError: If the runtime fails.
        """
        if not jobs:
            return []
        streams = [stream for stream, _ in jobs]
        if len(set(streams)) != len(streams):
            raise ValueError("a voice can be fed only once in a batch")
        for _, pcm in jobs:
            if (pcm.shape, pcm.dtype) != _FED:
                raise ValueError(f"a feed is {STEP} float32 samples, not {pcm.dtype} {pcm.shape}")

        voices = together([stream.kept for stream in streams])
        sound = np.concatenate([pcm for _, pcm in jobs]).reshape(-1, STEP)
        mel = _heard(voices, sound)
        heads, memory = self._net.step(mel, np.array([stream.memory for stream in streams]))
        mouths = shown(voices, mel, heads) if self._promises else heads[:, _MOUTH]
        results = []
        said = zip(streams, apart(voices), memory, mouths, heads[:, _VISEMES], strict=True)
        for stream, kept, remembered, mouth, visemes in said:
            # Nothing of a stream changes before all steps have succeeded.
            stream.kept, stream.memory = kept, remembered
            stream.fed = fed = stream.fed + 1
            results.append(Features(Ticks(fed * STEP_TICKS - self._look_ahead), mouth, visemes))
        return results


def _heard(voices: Voices, sound: FloatArray) -> FloatArray:
    """Return what is heard of a picture: four new mel frames and eight before them. (B, 12, 40)."""
    mel = np.empty((len(voices), _FRAMES, BANDS), np.float32)
    mel[:, :HISTORY] = voices["history"]
    hear(voices["ear"], sound, mel, HISTORY)
    voices["history"] = mel[:, FRAMES_PER_STEP:]
    return mel


@cache
def _rest() -> tuple[Bytes, FloatArray]:
    """Return what is kept of a voice that has heard silence, and the mel frames of it, (8, 40)."""
    voices = np.zeros(1, VOICE)
    voices["ear"] = new_ears(1)
    still, frames = np.zeros((1, STEP), np.float32), []
    for _ in range(50):  # two seconds
        frames.append(_heard(voices, still)[0, HISTORY:])
    silence = np.concatenate(frames)
    voices["ear"] = new_ears(1)
    voices["history"] = silence[:HISTORY]
    voices["levels"] = floor.under(silence, _FRAMES)[:, None]
    voices["lowest"] = floor.NOWHERE
    (kept,) = apart(voices)
    kept.flags.writeable = False  # every stream begins with it
    return kept, silence[:HISTORY]


def _net(path: Path, look_ahead: Ticks) -> Net:
    """Load a net, taken apart if it is of the kind that can be."""
    graph = GraphNet(path)
    heads = {LOOK_AHEAD: False} | ({SHORT_LOOK_AHEAD: True} if graph.looks_near else {})
    if look_ahead not in heads:
        raise ConfigError(
            f"the voice-to-face net can look {' or '.join(str(known // 48) for known in heads)} "
            f"ms ahead, not {look_ahead / 48:g}"
        )
    graph.ask(near=heads[look_ahead])
    try:
        fast = MatrixNet(contents(path), near=heads[look_ahead])
        return fast if _alike(fast, graph) else graph
    except (KeyError, ValueError):
        return graph


def _alike(net: Net, graph: Net) -> bool:
    """Return whether two nets say the same of two voices for five pictures."""
    noise = np.random.default_rng(0).uniform(-4, 0, (2, HISTORY + 5 * FRAMES_PER_STEP, BANDS))
    mel = noise.astype(np.float32)
    ours, theirs = (np.stack([one.rest(mel[n, :HISTORY]) for n in (0, 1)]) for one in (net, graph))
    for start in range(0, 5 * FRAMES_PER_STEP, FRAMES_PER_STEP):
        window = np.ascontiguousarray(mel[:, start : start + _FRAMES])
        said, ours = net.step(window, ours)
        wanted, theirs = graph.step(window, theirs)
        if not np.abs(said - wanted).max() < _ALIKE:
            return False
    return True
