"""The net as onnxruntime runs it: any file of our inputs and outputs, and the slow twin of `matrices`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from avatar_worker.errors import ConfigError, DeviceError
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

from .mel import BANDS, FRAMES_PER_STEP
from .voices import HISTORY

FloatArray = npt.NDArray[np.float32]

_SHAPES: Final = {
    "mel": (HISTORY + FRAMES_PER_STEP, BANDS),
    "ctrl": (len(MOUTH_NAMES),),
    "vis": (len(VISEME_NAMES),),
}
_VOICE: Final = {"voice": (1,)}  # nets before the fifth do not say whether somebody speaks
_NEAR: Final = {f"near_{name}": (_SHAPES | _VOICE)[name] for name in ("ctrl", "vis", "voice")}


class Net(Protocol):
    """What says of mel frames what a mouth does."""

    def rest(self, history: FloatArray) -> FloatArray:
        """Return the memory of a voice that follows on mel frames (8, 40). float32, (n,)."""
        ...

    def step(self, mel: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Hear the newest four mel frames of each voice.

        Args:
            mel: With the eight before them. float32, (B, 12, 40), contiguous.
            memory: Of each voice. float32, (B, n), contiguous; may be changed in place.

        Returns:
            Mouth weights, probabilities of visemes, and that of a voice, (B, 28); with 40 ms of
            look-ahead beside them the same of the picture before, (B, 56). And the memory.
        """
        ...


class GraphNet:
    """A net as its file says.

    Args:
        path: An ONNX file.

    Raises:
        ConfigError: If it cannot be read, or is another kind of net.
    """

    def __init__(self, path: Path) -> None:
        self._session = _load(path)
        shapes = _shapes(self._session)
        self._state = shapes["h"]
        self.looks_near = "near_ctrl" in shapes
        self._speaks_of_voices = "voice" in shapes
        self._outputs: list[str] = []
        self.ask(near=False)
        # Heads that are not asked are not computed.
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True

    def ask(self, *, near: bool) -> None:
        """Choose how far to look: 40 ms ahead, or 80."""
        names = ["ctrl", "vis", *(["voice"] if self._speaks_of_voices else [])]
        pictures = ["near_", ""] if near else [""]
        self._outputs = ["h2", *(f"{of}{name}" for of in pictures for name in names)]

    def rest(self, history: FloatArray) -> FloatArray:
        """See `Net`."""
        return np.zeros(self._state[0] * self._state[1], np.float32)

    def step(self, mel: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See `Net`.

        Raises:
            DeviceError: If the runtime fails.
        """
        voices = len(mel)
        before = memory.reshape(voices, *self._state).swapaxes(0, 1)
        inputs = {"mel": mel, "h": np.ascontiguousarray(before)}
        try:
            state, *answers = self._session.run(self._outputs, inputs, self._options)
        except Exception as error:
            raise DeviceError(f"the voice-to-face net failed: {error}") from error
        if not self._speaks_of_voices:
            answers.append(np.ones((voices, 1), np.float32))
        for logits in answers[1::3]:
            logits[:] = np.exp(logits - logits.max(axis=1, keepdims=True))
            logits /= logits.sum(axis=1, keepdims=True)
        heads = np.concatenate(answers, axis=1)
        return heads, np.ascontiguousarray(state.swapaxes(0, 1)).reshape(voices, -1)


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
