"""Mel frames to mouth controls: the small causal net, many voices in one call.

The net sees 120 ms of mel frames (80 ms of them again) and remembers the rest in a recurrent
state. The picture for time t needs sound up to t + 80 ms; sooner than that it could not know
which vowel has begun. Where 40 ms of delay matter more than that, other heads on the same memory
guess from sound up to t + 40 ms.
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

from . import floor, neighbours, parting, promises
from .mel import BANDS, FRAMES_PER_STEP, STEP, MelStream, log_mel_step

FloatArray = npt.NDArray[np.float32]

LOOK_AHEAD: Final = Ticks(3_840)  # 80 ms
SHORT_LOOK_AHEAD: Final = Ticks(1_920)  # 40 ms
STEP_TICKS: Final = Ticks(STEP * ticks_per(ANALYSIS_RATE))  # 1920, 40 ms
_HISTORY: Final = 8
_SHAPES: Final = {
    "mel": (_HISTORY + FRAMES_PER_STEP, BANDS),
    "ctrl": (len(MOUTH_NAMES),),
    "vis": (len(VISEME_NAMES),),
}
_VOICE: Final = {"voice": (1,)}  # nets before the fifth do not say whether somebody speaks
_HEADS: Final = {LOOK_AHEAD: "", SHORT_LOOK_AHEAD: "near_"}
_NEAR: Final = {f"near_{name}": (_SHAPES | _VOICE)[name] for name in ("ctrl", "vis", "voice")}


def _silence() -> npt.NDArray[np.float32]:
    """Return mel frames of two seconds in which nothing is heard. float32, (200, 40)."""
    quiet, still = MelStream(), np.zeros(STEP, np.float32)
    return np.concatenate([log_mel_step([quiet], [still])[0] for _ in range(50)])


_STILL: Final = _silence()
_SILENCE: Final = _STILL[:_HISTORY]
"""The mel frames that a voice follows on."""
_QUIET: Final = floor.under(_STILL, _HISTORY + FRAMES_PER_STEP)
"""And the floor under them."""
# What is noted of a picture for the next: its mouth, how sure a closing was, how far it shut.
_CONTROLS: Final = len(MOUTH_NAMES)
_SURE, _SHUT = _CONTROLS, _CONTROLS + 1
_REST: Final = np.zeros(_CONTROLS + 2, np.float32)


class MouthStream:
    """One voice on its way through the net. Made by `Audio2Face.open`; never shared.

    A stream starts in silence. `reset()` makes it new: use it for each segment and after a clear.
    """

    __slots__ = ("_blank", "fed", "floor", "hidden", "history", "mel", "said")

    def __init__(self, blank: npt.NDArray[np.float32]) -> None:
        self.mel = MelStream()
        self._blank = blank
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; the next feed is feed 0 again."""
        self.mel.reset()
        self.history = _SILENCE
        self.hidden = self._blank
        self.floor = floor.Floor(_QUIET)
        self.said = _REST
        self.fed = 0


class Audio2Face:
    """The voice-to-face net, loaded once and shared by every session.

    Args:
        weights: An ONNX file of the same inputs and outputs; the packaged one if None.
        look_ahead: How much later than the picture the sound must be, 80 or 40 ms.
        keep_promises: See `neighbours`, `parting` and `promises`; False gives the net's own answer, for measuring it.

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
                self._session = _load(path)
        else:
            self._session = _load(weights)
        self._promises = keep_promises
        shapes = _shapes(self._session)
        self._blank = np.zeros(shapes["h"], np.float32)
        self._look_ahead = look_ahead
        heads = _HEADS.get(look_ahead)
        if heads is None or f"{heads}ctrl" not in shapes:
            known = [ahead // 48 for ahead, name in _HEADS.items() if f"{name}ctrl" in shapes]
            raise ConfigError(
                f"the voice-to-face net can look {' or '.join(map(str, known))} ms ahead, "
                f"not {look_ahead / 48:g}"
            )
        voice = [f"{heads}voice"] if f"{heads}voice" in shapes else []
        self._outputs = [f"{heads}ctrl", f"{heads}vis", "h2", *voice]
        # Heads that are not asked are not computed.
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True

    @property
    def look_ahead(self) -> Ticks:
        """How much later than the picture the sound must be that is fed for it."""
        return self._look_ahead

    def open(self) -> MouthStream:
        """Start a voice."""
        return MouthStream(self._blank)

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
        if len({id(stream) for stream in streams}) != len(streams):
            raise ValueError("a voice can be fed only once in a batch")
        for _, pcm in jobs:
            if pcm.shape != (STEP,) or pcm.dtype != np.float32:
                raise ValueError(f"a feed is {STEP} float32 samples, not {pcm.dtype} {pcm.shape}")

        new = log_mel_step([stream.mel for stream in streams], [pcm for _, pcm in jobs])
        mel = np.concatenate([np.stack([s.history for s in streams]), new], axis=1)
        hidden = np.stack([s.hidden for s in streams], axis=1)
        try:
            answer = self._session.run(self._outputs, {"mel": mel, "h": hidden}, self._options)
        except Exception as error:
            raise DeviceError(f"the voice-to-face net failed: {error}") from error

        mouths, visemes = answer[0], _softmax(answer[1])
        if self._promises:
            mouths = _kept(streams, mel, mouths, visemes, answer[3][:, 0] if answer[3:] else None)
        mel, hidden = mel[:, FRAMES_PER_STEP:].copy(), answer[2]
        results = []
        for row, stream in enumerate(streams):
            stream.history = mel[row]
            stream.hidden = hidden[:, row]
            stream.fed += 1
            pts = Ticks(stream.fed * STEP_TICKS - self._look_ahead)
            results.append(Features(pts, mouths[row], visemes[row]))
        return results


def _kept(
    streams: Sequence[MouthStream],
    mel: FloatArray,
    mouths: FloatArray,
    visemes: FloatArray,
    voice: FloatArray | None,
) -> FloatArray:
    """Return mouths as they are shown, and note with each voice what it follows on. (B, 12)."""
    now = floor.levels(mel)
    before = np.array([stream.said for stream in streams])
    said = np.empty_like(before)
    said[:, :_CONTROLS] = mouths
    said[:, _SURE] = sure = neighbours.sureness(visemes)
    closing = promises.shut(neighbours.peaks(sure, before[:, _SURE]))
    said[:, _SHUT] = closing = neighbours.released(closing, before[:, _SHUT])
    for stream, loud, noted in zip(streams, now, said, strict=True):
        stream.floor.hear(loud)
        stream.said = noted
    moves = floor.presence(now, np.array([stream.floor.lowest for stream in streams]))
    if voice is not None:
        moves = moves * promises.heard(voice)
    parted = parting.part(neighbours.steadied(mouths, before[:, :_CONTROLS]))
    return promises.keep(parted, closing, moves)


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
    state, known = shapes.pop("h", ()), [_SHAPES, _SHAPES | _VOICE, _SHAPES | _VOICE | _NEAR]
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
