"""The demo's voice: hibari, a small English speech synthesiser that runs offline.

Its model is inside its wheel; nothing is fetched. Synthesis runs in a thread, sentence by
sentence, so that the first sentence is heard while the next is made.
"""

from __future__ import annotations

import asyncio
import threading

import numpy as np
from hibari import SAMPLE_RATE, Hibari  # type: ignore[import-untyped]
from numpy.typing import NDArray

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, tts, utils

GAIN = 1.8
"""Brings the voice from a peak of about 0.45 to the level of other synthesisers."""
QUIET = 0.004
"""Below this it counts as silence: the model starts with 0.3 s and ends with 0.45 s of it."""
LEAD_S = 0.06
TAIL_S = 0.18


def trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """One sentence with `LEAD_S` of silence left in front and `TAIL_S` behind.

    Args:
        samples: float32 mono, (n,), any n, 24 kHz.

    Returns:
        A view. A sentence without any sound comes back as `TAIL_S` of itself.
    """
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    if loud.size == 0:
        return samples[: int(TAIL_S * SAMPLE_RATE)]
    start = max(0, int(loud[0]) - int(LEAD_S * SAMPLE_RATE))
    return samples[start : int(loud[-1]) + 1 + int(TAIL_S * SAMPLE_RATE)]


def to_pcm(samples: NDArray[np.float32]) -> bytes:
    """Float32 in [-1, 1] as s16le with `GAIN`, clipped."""
    pcm: bytes = (np.clip(samples * GAIN, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
    return pcm


class Synthesizer:
    """The loaded model. One per process; calls from several threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model = Hibari()
        self.sentence("Ready.")  # loads the dictionaries too, which are lazy

    def sentences(self, text: str) -> list[str]:
        """The text as phoneme strings, one per sentence. Empty when nothing can be spoken."""
        with self._lock:
            return list(self._model.phonemize(text))

    def speak(self, phonemes: str) -> bytes:
        """One phoneme string as s16le mono at 24 kHz, trimmed. The same in, the same out."""
        with self._lock:
            samples: NDArray[np.float32] = self._model.from_phonemes(phonemes, seed=0)
        return to_pcm(trim(samples))

    def sentence(self, text: str) -> bytes:
        """A short text in one piece; s16le mono at 24 kHz."""
        return b"".join(self.speak(phonemes) for phonemes in self.sentences(text))


_loaded: Synthesizer | None = None
_loading = threading.Lock()


def load() -> Synthesizer:
    """The process's synthesizer, loaded by the first call (about 0.9 s)."""
    global _loaded
    with _loading:
        if _loaded is None:
            _loaded = Synthesizer()
        return _loaded


class HibariVoice(tts.TTS[str]):
    """hibari as a LiveKit TTS: 24 kHz mono. AgentSession feeds it whole sentences."""

    def __init__(self, synthesizer: Synthesizer | None = None) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
        )
        self._synthesizer = synthesizer or load()

    @property
    def model(self) -> str:
        """The voice's name."""
        return "heart"

    @property
    def provider(self) -> str:
        """The synthesiser's name."""
        return "hibari"

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a text; every sentence is delivered as soon as it is made."""
        return _Speech(
            tts=self,
            input_text=text,
            conn_options=conn_options,
            synthesizer=self._synthesizer,
        )


class _Speech(tts.ChunkedStream):
    def __init__(
        self,
        *,
        tts: HibariVoice,
        input_text: str,
        conn_options: APIConnectOptions,
        synthesizer: Synthesizer,
    ) -> None:
        super().__init__(tts=tts, input_text=input_text, conn_options=conn_options)
        self._synthesizer = synthesizer

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
        )
        spoken = False
        for phonemes in await asyncio.to_thread(self._synthesizer.sentences, self.input_text):
            pcm = await asyncio.to_thread(self._synthesizer.speak, phonemes)
            output_emitter.push(pcm)
            spoken = spoken or bool(pcm)
        if not spoken:
            # A text of signs only is a short pause; no audio at all would be an error upstream.
            output_emitter.push(bytes(2 * int(TAIL_S * SAMPLE_RATE)))
        output_emitter.flush()
