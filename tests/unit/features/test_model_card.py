"""The model card speaks of the weights that ship."""

import hashlib
from importlib.resources import files
from pathlib import Path

CARD = Path(__file__).parents[3] / "docs" / "model-card.md"


def test_the_card_names_the_hash_and_size_of_the_packaged_weights() -> None:
    weights = (files("avatar_worker") / "assets/weights/audio2face-v5.onnx").read_bytes()
    card = CARD.read_text()
    assert hashlib.sha256(weights).hexdigest() in card
    assert f"{len(weights):,} bytes".replace(",", " ") in card
