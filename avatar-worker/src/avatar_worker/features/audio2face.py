"""Mel frames to mouth controls: the small causal net, many voices in one call.

The net sees 120 ms of mel frames (80 ms of them again) and remembers the rest in a recurrent
state. The picture for time t needs sound up to t + 80 ms; sooner than that it could not know
which vowel has begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from avatar_worker.clock import Ticks, ticks_per
from avatar_worker.errors import ConfigError, DeviceError
from avatar_worker.frames import ANALYSIS_RATE, MOUTH_NAMES, VISEME_NAMES, Features

from . import parting, promises
from .mel import BANDS, FRAMES_PER_STEP, STEP, MelStream, log_mel_step

LOOK_AHEAD: Final = Ticks(3_840)  # 80 ms
STEP_TICKS: Final = Ticks(STEP * ticks_per(ANALYSIS_RATE))  # 1920, 40 ms
_HISTORY: Final = 8
_SHAPES: Final = {
    "mel": (_HISTORY + FRAMES_PER_STEP, BANDS),
    "ctrl": (len(MOUTH_NAMES),),
    "vis": (len(VISEME_NAMES),),
}
_VOICE: Final = {"voice": (1,)}  # nets before the fifth do not say whether somebody speaks


def _silence() -> npt.NDArray[np.float32]:
    """Return the mel frames that a voice follows on. float32, (8, 40)."""
    quiet, still = MelStream(), np.zeros(STEP, np.float32)
    steps = [log_mel_step([quiet], [still])[0] for _ in range(_HISTORY // FRAMES_PER_STEP)]
    return np.concatenate(steps)


_SILENCE: Final = _silence()


class MouthStream:
    """One voice on its way through the net. Made by `Audio2Face.open`; never shared.

    A stream starts in silence. `reset()` makes it new: use it for each segment and after a clear.
    """

    __slots__ = ("_blank", "fed", "hidden", "history", "mel")

    def __init__(self, blank: npt.NDArray[np.float32]) -> None:
        self.mel = MelStream()
        self._blank = blank
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; the next feed is feed 0 again."""
        self.mel.reset()
        self.history = _SILENCE
        self.hidden = self._blank
        self.fed = 0


class Audio2Face:
    """The voice-to-face net, loaded once and shared by every session.

    Args:
        weights: An ONNX file of the same inputs and outputs; the packaged one if None.
        keep_promises: See `parting` and `promises`; False gives the net's own answer, for measuring it.

    Raises:
        ConfigError: If the file cannot be read or is another kind of net.
    """

    def __init__(self, weights: Path | None = None, *, keep_promises: bool = True) -> None:
        if weights is None:
            packaged = files("avatar_worker") / "assets" / "weights" / "audio2face-v5.onnx"
            with as_file(packaged) as path:
                self._session = _load(path)
        else:
            self._session = _load(weights)
        self._promises = keep_promises
        shapes = _shapes(self._session)
        self._blank = np.zeros(shapes["h"], np.float32)
        self._outputs = ["ctrl", "vis", "h2", *(name for name in _VOICE if name in shapes)]

    @property
    def look_ahead(self) -> Ticks:
        """How much later than the picture the sound must be that is fed for it."""
        return LOOK_AHEAD

    def open(self) -> MouthStream:
        """Start a voice."""
        return MouthStream(self._blank)

    def step(self, jobs: Sequence[tuple[MouthStream, npt.NDArray[np.float32]]]) -> list[Features]:
        """Feed 40 ms to each voice and say what each mouth does.

        Feed n of a stream (n = 0, 1, ...) covers [40 n, 40 n + 40) ms of its speech; what it
        returns is for the picture at (40 (n + 1) - 80) ms. Feed 0 therefore speaks of -40 ms,
        before the speech, and feed 1 of the picture at 0.

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
        if len({id(stream) for stream in streams}) != len(streams):
            raise ValueError("a voice can be fed only once in a batch")
        for _, pcm in jobs:
            if pcm.shape != (STEP,) or pcm.dtype != np.float32:
                raise ValueError(f"a feed is {STEP} float32 samples, not {pcm.dtype} {pcm.shape}")

        new = log_mel_step([stream.mel for stream in streams], [pcm for _, pcm in jobs])
        mel = np.concatenate([np.stack([s.history for s in streams]), new], axis=1)
        hidden = np.stack([s.hidden for s in streams], axis=1)
        try:
            mouths, logits, hidden, *voice = self._session.run(
                self._outputs, {"mel": mel, "h": hidden}
            )
        except Exception as error:
            raise DeviceError(f"the voice-to-face net failed: {error}") from error

        visemes = _softmax(logits)
        if self._promises:
            parted = parting.part(mouths)
            mouths = promises.keep(parted, visemes, voice[0][:, 0] if voice else None)
        results = []
        for row, stream in enumerate(streams):
            stream.history = mel[row, FRAMES_PER_STEP:].copy()
            stream.hidden = hidden[:, row]
            stream.fed += 1
            pts = Ticks(stream.fed * STEP_TICKS - LOOK_AHEAD)
            results.append(Features(pts, np.clip(mouths[row], 0, 1), visemes[row]))
        return results


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn logits (B, 15) into probabilities (B, 15)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _load(path: Path) -> Any:  # onnxruntime has no types
    """Open a session on one thread and check that it is the net we know."""
    options = onnxruntime.SessionOptions()
    # Sessions are batched, so one call carries everybody; more threads only fight.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise ConfigError(f"cannot load the voice-to-face net {path.name}: {error}") from error
    shapes = _shapes(session)
    state, known = shapes.pop("h", ()), [_SHAPES, _SHAPES | _VOICE]
    if len(state) != 2 or shapes.pop("h2", ()) != state or shapes not in known:
        raise ConfigError(
            f"{path.name} is not our voice-to-face net: it has {_shapes(session)}, wanted is "
            f"{_SHAPES | _VOICE} and a state h, h2"
        )
    return session


def _shapes(session: Any) -> dict[str, tuple[int, ...]]:
    """Return what goes in and out by name, without the size of the batch."""
    nodes = (*session.get_inputs(), *session.get_outputs())
    return {node.name: tuple(n for n in node.shape if isinstance(n, int)) for node in nodes}
