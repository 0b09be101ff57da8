"""A checkpoint to the ONNX file that ships: one step, any number of voices.

python -m training.export CHECKPOINT WEIGHTS.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import torch

from avatar_worker.errors import ConfigError
from avatar_worker.features.mel import BANDS, FRAMES_PER_STEP

from .net import HISTORY, Net, Step, load

LARGEST: Final = 2_000_000  # bytes; the file is part of the wheel
_INPUTS: Final = ("mel", "h")
_OUTPUTS: Final = ("ctrl", "vis", "voice", "h2", "near_ctrl", "near_vis", "near_voice")


def export(net: Net, path: Path) -> None:
    """Write the net.

    Raises:
        ConfigError: If the file would be too large to ship.
    """
    size = net.size
    voices = 2  # more than one, or the exporter takes the number for a constant
    mel = torch.zeros(voices, HISTORY + FRAMES_PER_STEP, BANDS)
    state = torch.zeros(size.layers, voices, size.hidden)
    axes = {name: {1 if name in ("h", "h2") else 0: "B"} for name in _INPUTS + _OUTPUTS}
    # The exporter gives a module back in the mode it had: what wraps the net must be quiet too.
    step = Step(net).eval()
    torch.onnx.export(
        step, (mel, state), str(path), input_names=list(_INPUTS), output_names=list(_OUTPUTS),
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    if path.stat().st_size > LARGEST:
        raise ConfigError(f"{path} has {path.stat().st_size} bytes; at most {LARGEST} ship")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.export")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path)
    args = parser.parse_args()
    net, _ = load(str(args.checkpoint))
    export(net, args.weights)


if __name__ == "__main__":
    main()
