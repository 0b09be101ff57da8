"""The measures, on predictions whose quality is known because the test made them."""

import math

import numpy as np
import pytest
from training.metrics import (
    FAR_LAGS,
    LAGS,
    Prediction,
    by_lag,
    closings,
    closure_recall,
    closures_at,
    confusions,
    correlation,
    jitter_ratio,
    lips,
    rest_in_silence,
    viseme_accuracy,
)
from training.phones import Segment, filled
from training.sets import Filmed, Spoken
from training.targets import loudness, mouths, visemes
from training.units import aperture

from avatar_worker.frames import MOUTH_NAMES

COUNT = 250
TIMES = np.arange(COUNT) * 0.04


def spoken(seed: int = 0) -> Spoken:
    """Ten seconds: pa ta ma sa ... with pauses."""
    chance = np.random.default_rng(seed)
    at, segs = 0.5, []
    while at < 9:
        for unit in (str(chance.choice(["p", "t", "m", "s", "b", "k"])), "a"):
            length = 0.08 if unit != "a" else 0.2
            segs.append(Segment(at, at + length, unit))
            at += length
        if chance.random() < 0.15:
            at += 0.5
    pcm = 0.1 * chance.standard_normal(160_000).astype(np.float32)
    return Spoken("made", "en", pcm, filled(segs, 10))


def oracle(said: Spoken) -> Prediction:
    mouth = mouths(said.segments, TIMES, loud=loudness(said.pcm, said.segments))
    closing = mouth[:, MOUTH_NAMES.index("lipClose")]
    return Prediction(aperture(mouth), closing, visemes(said.segments, TIMES))


def nothing(closing: float = 0.0) -> Prediction:
    still = np.zeros(COUNT, np.float32)
    return Prediction(still, still + np.float32(closing), np.zeros(COUNT, np.int64))


def test_the_truth_scores_best_everywhere() -> None:
    said = [spoken(0), spoken(1)]
    heard = [oracle(s) for s in said]
    recall, threshold = closure_recall(said, heard)
    assert recall == 1
    assert 0 <= threshold < 0.7
    assert viseme_accuracy(said, heard) == 1
    assert rest_in_silence(said, heard) == 1
    assert jitter_ratio(said, heard) == pytest.approx(1)


def test_a_mouth_that_is_always_shut_has_no_recall_at_few_false_closings() -> None:
    said = [spoken()]
    assert closure_recall(said, [nothing(1.0)])[0] == 0
    assert closures_at(said, [nothing(1.0)], 0.5) == (1.0, 1.0)


def test_a_mouth_that_never_shuts_has_no_recall() -> None:
    assert closure_recall([spoken()], [nothing(0.0)])[0] == 0


def test_the_threshold_is_the_lowest_that_keeps_the_limit() -> None:
    said = [spoken()]
    truth = oracle(said[0])
    chance = np.random.default_rng(0)
    doubtful = truth.closing * 0.2 + chance.uniform(0, 1.0, COUNT).astype(np.float32)
    heard = [Prediction(truth.aperture, doubtful)]
    recall, threshold = closure_recall(said, heard)
    assert (
        closures_at(said, heard, threshold)[1]
        <= 0.02
        < closures_at(said, heard, threshold - 0.05)[1]
    )
    assert 0 < recall < 1
    more, lower = closure_recall(said, heard, most_false=0.3)
    assert more > recall
    assert lower < threshold


def test_a_closing_counts_within_40_ms_and_not_beyond() -> None:
    said = Spoken("x", "en", np.zeros(160_000, np.float32), filled([Segment(1.0, 1.5, "a"), Segment(1.5, 1.58, "p"), Segment(1.58, 2.0, "a")], 10))  # fmt: skip

    def recall_at(time: float) -> float:
        heard = nothing()
        heard.closing[round(time / 0.04)] = 1.0
        at, _ = closings([said], [heard])
        return at[0]

    assert recall_at(1.48) == recall_at(1.6) == 1
    assert recall_at(1.44) == recall_at(1.64) == 0


def test_near_bilabials_and_silences_nothing_is_false() -> None:
    said = Spoken("x", "en", np.zeros(160_000, np.float32), filled([Segment(1.0, 1.5, "a"), Segment(1.5, 1.58, "p"), Segment(1.58, 2.0, "a")], 10))  # fmt: skip
    _, elsewhere = closings([said], [nothing()])
    free = [t for t in TIMES if 1.08 <= t <= 1.44 or 1.64 <= t <= 1.92]
    assert len(elsewhere) == len(free)


def test_without_bilabials_or_visemes_there_is_no_figure() -> None:
    said = [Spoken("x", "en", np.zeros(160_000, np.float32), filled([Segment(1, 2, "a")], 10))]
    mute = [Prediction(nothing().aperture, nothing().closing)]
    assert math.isnan(closure_recall(said, mute)[0])
    assert math.isnan(viseme_accuracy(said, mute))


def test_an_open_mouth_does_not_rest() -> None:
    said = [spoken()]
    opened = Prediction(np.full(COUNT, 0.3, np.float32), nothing().closing)
    assert rest_in_silence(said, [opened]) == 0
    assert rest_in_silence(said, [nothing()]) == 1


def test_trembling_counts_as_jitter_and_stillness_does_not() -> None:
    said = [spoken()]
    truth = oracle(said[0])
    tremble = truth.aperture + 0.1 * (-1.0) ** np.arange(COUNT)
    assert jitter_ratio(said, [Prediction(tremble.astype(np.float32), truth.closing)]) > 1.5
    assert jitter_ratio(said, [nothing()]) == 0


def test_confusions_tell_what_was_taken_for_what() -> None:
    said = [spoken()]
    table = confusions(said, [nothing()])
    assert table.sum() == COUNT
    assert table[:, 1:].sum() == 0


def film(name: str, late: int = 0) -> tuple[Filmed, Prediction]:
    """A film and a prediction that is so many pictures late."""
    truth = oracle(spoken(5)).aperture
    gap = np.convolve(truth, [0.2, 0.6, 0.2], "same")
    return Filmed(name, np.zeros(160_000, np.float32), gap), Prediction(np.roll(truth, late), truth)


@pytest.mark.parametrize("late", [-3, 0, 2])
def test_the_lag_is_found_with_its_sign(late: int) -> None:
    clip, heard = film("grid_a", late)
    curve = by_lag(clip, heard)
    assert LAGS[int(np.argmax(curve))] == late
    assert lips([clip], [heard]).lag_frames == pytest.approx(late, abs=0.3)


def test_studio_clips_are_compared_in_step_and_others_at_their_best() -> None:
    studio, other = film("grid_a", 2), film("wild_b", 2)
    found = lips([studio[0], other[0]], [studio[1], other[1]])
    assert found.grid_r < 0.8 < 0.9 < found.wild_r
    assert math.isnan(lips([other[0]], [other[1]]).grid_r)
    assert math.isnan(lips([studio[0]], [studio[1]]).wild_r)


def test_a_film_whose_sound_is_far_off_is_found_by_the_far_measure_alone() -> None:
    near, far = film("wild_a", 2), film("wild_b", 7)
    found = lips([near[0]], [near[1]])
    assert found.wild_r == pytest.approx(found.wild_r_far, abs=1e-6)
    off = lips([far[0]], [far[1]])
    assert off.wild_r < 0.8 < 0.9 < off.wild_r_far
    assert by_lag(*far, FAR_LAGS)[FAR_LAGS.index(7)] == max(by_lag(*far, FAR_LAGS))


def test_what_does_not_move_correlates_with_nothing() -> None:
    assert correlation(np.zeros(10), np.arange(10.0)) == 0
    assert correlation(np.arange(10.0), np.arange(10.0)) == pytest.approx(1)
