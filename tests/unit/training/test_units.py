"""The table of articulatory units, and how they read the alphabets of languages."""

import numpy as np
import pytest
from training.phones import ARPABET, IPA, Segment, filled, from_ipa, segments, shifted
from training.units import BILABIALS, UNITS, Kind, aperture

from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES


def test_every_viseme_has_a_unit() -> None:
    assert {unit.viseme for unit in UNITS.values()} - {None} == set(VISEME_NAMES)


def test_every_letter_and_symbol_leads_to_a_unit() -> None:
    assert set(IPA.values()) <= set(UNITS)
    assert {unit for units in ARPABET.values() for unit in units} <= set(UNITS)


def test_targets_are_weights() -> None:
    for unit in UNITS.values():
        assert unit.mouth.shape == (12,)
        assert 0 <= unit.mouth.min() <= unit.mouth.max() <= 1


def test_bilabials_alone_shut_the_lips() -> None:
    for name, unit in UNITS.items():
        opening = float(aperture(unit.mouth))
        if name in (*BILABIALS, "sil"):
            assert opening == pytest.approx(0, abs=1e-6)
        else:
            assert opening > 0.02, name


def test_a_closed_lip_shuts_any_aperture() -> None:
    mouth = np.ones((3, 12), np.float32)
    mouth[:, MOUTH_NAMES.index("lipClose")] = [0, 0.5, 1]
    opening = aperture(mouth)
    assert opening[0] > opening[1] > opening[2] == 0


@pytest.mark.parametrize(
    ("ipa", "units"),
    [
        ("t͡ʃ", ("t", "S")),  # a tie bar keeps them apart here; espeak-ng writes none
        ("tʃ", ("S",)),
        ("dʒ", ("S",)),
        ("ts", ("s",)),
        ("aɪ", ("a", "I")),
        ("ˈɑː", ("A",)),
        ("5", ()),
        ("", ()),
    ],
)
def test_ipa_becomes_units(ipa: str, units: tuple[str, ...]) -> None:
    assert from_ipa(ipa) == units


@pytest.mark.parametrize(
    ("ipa", "french", "elsewhere"),
    [
        ("ɑ̃", ("Q",), ("A",)),
        ("ɛ̃", ("ae",), ("E",)),
        ("ɔ̃", ("o",), ("O",)),
        ("œ̃", ("9",), ("9",)),
        ("ə-", ("9",), ("@",)),
        ("ɑ", ("A",), ("A",)),
        ("ʁ", ("R",), ("R",)),
        ("ˈtɑ̃ʃɛ̃", ("t", "Q", "S", "ae"), ("t", "A", "S", "E")),
    ],
)
def test_french_reads_its_nasal_vowels_and_its_schwa_in_its_own_way(
    ipa: str, french: tuple[str, ...], elsewhere: tuple[str, ...]
) -> None:
    assert from_ipa(ipa, "fr") == french
    assert from_ipa(ipa, "pt") == from_ipa(ipa) == elsewhere


def test_french_lips_are_rounder_where_its_letters_are_not() -> None:
    rounding = [MOUTH_NAMES.index(name) for name in ("mouthFunnel", "mouthPucker")]
    for letter in ("ɑ̃", "ɔ̃", "ə"):
        (french,), (elsewhere,) = from_ipa(letter, "fr"), from_ipa(letter)
        assert UNITS[french].mouth[rounding].sum() > UNITS[elsewhere].mouth[rounding].sum() + 0.2


def test_a_diphthong_gives_its_first_part_the_most() -> None:
    first, second = segments([(1.0, 2.0, ("a", "I"))])
    assert (first.start, second.end) == (1.0, 2.0)
    assert first.end == second.start == pytest.approx(1.6)


def test_other_pairs_share_alike() -> None:
    first, _ = segments([(0.0, 1.0, ("k", "s"))])
    assert first.end == pytest.approx(0.5)


def test_silences_that_touch_are_one_and_empty_items_vanish() -> None:
    laid = segments([(0, 0.1, ()), (0.1, 0.3, ("sil",)), (0.3, 0.3, ("a",)), (0.3, 0.5, ("a",))])
    assert laid == [Segment(0, 0.3, "sil"), Segment(0.3, 0.5, "a")]


def test_shifting_cuts_at_the_start() -> None:
    moved = shifted([Segment(0.0, 0.05, "b"), Segment(0.05, 0.2, "a")], -0.06)
    assert moved == [Segment(0.0, pytest.approx(0.14), "a")]


def test_gaps_are_filled_with_silence_from_the_start_to_the_end() -> None:
    whole = filled([Segment(0.2, 0.3, "a"), Segment(0.5, 0.6, "m")], 1.0)
    assert [s.unit for s in whole] == ["sil", "a", "sil", "m", "sil"]
    assert whole[0].start == 0
    assert whole[-1].end == 1.0
    assert all(a.end == pytest.approx(b.start) for a, b in zip(whole, whole[1:], strict=False))


def test_there_is_one_kind_of_silence() -> None:
    assert [name for name, unit in UNITS.items() if unit.kind is Kind.SILENCE] == ["sil"]
