from __future__ import annotations

import time

import numpy as np
import pytest
from hibari import SAMPLE_RATE

from avatar_worker.demo.voice import (
    LEAD_S,
    QUIET,
    TAIL_S,
    HibariVoice,
    Synthesizer,
    load,
    to_pcm,
    trim,
)
from livekit.agents import tokenize, tts


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return load()


def samples_of(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0


def test_trimming_leaves_a_little_silence_on_both_sides() -> None:
    sound = np.zeros(SAMPLE_RATE * 2, np.float32)
    sound[SAMPLE_RATE : SAMPLE_RATE + 1200] = 0.5
    kept = trim(sound)
    loud = np.flatnonzero(kept > QUIET)
    assert loud[0] == int(LEAD_S * SAMPLE_RATE)
    assert kept.size - 1 - loud[-1] == int(TAIL_S * SAMPLE_RATE)


def test_trimming_never_reaches_beyond_the_sentence() -> None:
    sound = np.full(100, 0.5, np.float32)
    assert trim(sound).size == 100


def test_silence_is_trimmed_to_a_short_pause() -> None:
    assert trim(np.zeros(SAMPLE_RATE, np.float32)).size == int(TAIL_S * SAMPLE_RATE)
    assert trim(np.zeros(0, np.float32)).size == 0


def test_samples_beyond_full_scale_are_clipped_and_do_not_wrap() -> None:
    values = np.frombuffer(to_pcm(np.array([-9.0, 0.0, 9.0], np.float32)), "<i2")
    assert values.tolist() == [-32767, 0, 32767]


def test_the_voice_is_loaded_once_in_a_process(synthesizer: Synthesizer) -> None:
    assert load() is synthesizer


def test_a_sentence_sounds_like_speech(synthesizer: Synthesizer) -> None:
    sound = samples_of(synthesizer.sentence("The quick brown fox jumps over the lazy dog."))
    assert 1.5 < sound.size / SAMPLE_RATE < 5
    assert 0.03 < float(np.sqrt(np.mean(sound**2))) < 0.3
    assert float(np.mean(np.abs(sound) > 0.99)) < 0.001
    # A tone or noise would be steady; speech rises and falls with its syllables.
    blocks = sound[: sound.size // 480 * 480].reshape(-1, 480)
    levels = np.sqrt(np.mean(blocks**2, axis=1))
    assert float(levels.std() / levels.mean()) > 0.4


def test_the_same_text_gives_the_same_sound(synthesizer: Synthesizer) -> None:
    assert synthesizer.sentence("Once more.") == synthesizer.sentence("Once more.")


def test_a_longer_text_takes_longer_to_say(synthesizer: Synthesizer) -> None:
    short = synthesizer.sentence("One.")
    long = synthesizer.sentence("One, two, three, four, five, six.")
    assert len(long) > 1.5 * len(short)


def test_synthesis_is_far_faster_than_speech(synthesizer: Synthesizer) -> None:
    started = time.process_time()
    pcm = synthesizer.sentence("You can interrupt me at any time, simply by typing again.")
    assert time.process_time() - started < 0.5 * len(pcm) / 2 / SAMPLE_RATE


async def test_livekit_gets_24_khz_mono_frames(synthesizer: Synthesizer) -> None:
    async with HibariVoice(synthesizer) as voice:
        assert (voice.sample_rate, voice.num_channels) == (24_000, 1)
        async with voice.synthesize("Hello there. How are you?") as stream:
            frames = [event.frame async for event in stream]
    assert {(frame.sample_rate, frame.num_channels) for frame in frames} == {(24_000, 1)}
    spoken = b"".join(bytes(frame.data) for frame in frames)
    made = synthesizer.sentence("Hello there. How are you?")
    assert spoken[: len(made)] == made
    assert not any(spoken[len(made) :])  # LiveKit closes with a little silence


@pytest.mark.parametrize("text", ["…", "***", "?!", "😀"])
async def test_a_text_of_signs_only_is_a_pause_and_no_error(
    synthesizer: Synthesizer, text: str
) -> None:
    async with HibariVoice(synthesizer) as voice, voice.synthesize(text) as stream:
        duration = sum([event.frame.duration async for event in stream])
    assert 0 < duration < 1


async def test_the_session_s_adapter_gets_the_first_sentence_before_the_last_word(
    synthesizer: Synthesizer,
) -> None:
    voice = HibariVoice(synthesizer)
    adapter = tts.StreamAdapter(
        tts=voice, sentence_tokenizer=tokenize.blingfire.SentenceTokenizer(retain_format=True)
    )
    async with adapter.stream() as stream:
        for word in [
            "Here",
            "is",
            "the",
            "first",
            "of",
            "my",
            "sentences.",
            "Here",
            "is",
            "the",
            "second",
            "of",
            "them.",
            "And",
            "so",
        ]:
            stream.push_text(word + " ")
        first = await anext(stream)  # the input is still open
        assert first.frame.duration > 0
        stream.end_input()
        rest = sum([event.frame.duration async for event in stream])
    assert rest > 1
    await adapter.aclose()
