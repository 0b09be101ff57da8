"""The net: two causal convolutions, a small recurrent memory, four heads, and three near ones.

Mel frames come at 100 Hz; four of them make one picture. The picture at 40 k ms may hear mel
frames up to 4 k + 5, whose window ends within 80 ms of it. The near heads speak at the same
moment of the picture after it, so they have heard 40 ms beyond theirs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import torch
from torch import Tensor, nn

from avatar_worker.features.mel import BANDS, FRAMES_PER_STEP
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

from .examples import INNER, UNIT_NAMES

HISTORY: Final = 8
NEWEST: Final = 5


@dataclass(frozen=True, slots=True)
class Size:
    """How big a net is.

    Attributes:
        channels: Of the convolutions.
        hidden: Of the recurrent memory and what stands around it.
        layers: Of the recurrent memory.
    """

    channels: int = 72
    hidden: int = 192
    layers: int = 1


class Near(nn.Module):
    """Heads for the next picture, on what the others look at before they mix it."""

    def __init__(self, hidden: int, width: int = 96) -> None:
        super().__init__()
        self.mix = nn.Linear(2 * hidden, width)
        self.mouth = nn.Linear(width, len(MOUTH_NAMES))
        self.viseme = nn.Linear(width, len(VISEME_NAMES))
        self.voice = nn.Linear(width, 1)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take (..., 2 hidden); return the logits of mouth, visemes and voice (..., 1)."""
        mixed = torch.relu(self.mix(seen))
        return self.mouth(mixed), self.viseme(mixed), self.voice(mixed)


class Net(nn.Module):
    """Log-mel to mouths.

    The heads are logits: mouth (12), visemes (15), voice (1), and for training alone the units at
    four moments within the picture (4 x 45).
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        c, h = size.channels, size.hidden
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("spread", torch.ones(BANDS))
        self.first = nn.Conv1d(BANDS, c, 5)
        self.second = nn.Conv1d(c, c, 5)
        self.join = nn.Linear(FRAMES_PER_STEP * c, h)
        self.memory = nn.GRU(h, h, size.layers, batch_first=True)
        self.mix = nn.Linear(2 * h, h)
        self.mouth = nn.Linear(h, len(MOUTH_NAMES))
        self.viseme = nn.Linear(h, len(VISEME_NAMES))
        self.voice = nn.Linear(h, 1)
        self.units = nn.Linear(h, len(INNER) * len(UNIT_NAMES))
        self.near = Near(h)
        self.drop = nn.Dropout(0.1)

    @torch.no_grad()
    def normalise(self, mel: Tensor) -> None:
        """Take the mean and the spread of each band from some examples. (B, frames, 40)."""
        self.mean.copy_(mel.mean((0, 1)))
        self.spread.copy_(mel.std((0, 1)))

    def senses(self, mel: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return memory and sound, side by side (B, T, 2 hidden), and the new state.

        Args:
            mel: 8 frames of history and 4 for each picture. (B, 8 + 4 T, 40).
            state: As returned before, (layers, B, hidden); None at the start.
        """
        x = ((mel - self.mean) / self.spread).transpose(1, 2)
        x = torch.relu(self.second(torch.relu(self.first(x)))).transpose(1, 2)
        batch, frames, channels = x.shape
        x = x.reshape(batch, frames // FRAMES_PER_STEP, FRAMES_PER_STEP * channels)
        x = self.drop(torch.relu(self.join(x)))
        remembered, state = self.memory(x, state)
        return torch.cat([remembered, x], -1), state

    def mixed(self, seen: Tensor) -> Tensor:
        """Take what `senses` returns; return what the heads look at. (..., hidden)."""
        return self.drop(torch.relu(self.mix(seen)))

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the logits of mouth, visemes, voice and units for a whole recording."""
        seen = self.mixed(self.senses(mel, None)[0])
        units = self.units(seen).unflatten(-1, (len(INNER), len(UNIT_NAMES)))
        return self.mouth(seen), self.viseme(seen), self.voice(seen)[..., 0], units


class Step(nn.Module):
    """One picture at a time, as the worker calls it: (mel, h) to (ctrl, vis, voice, h2, near_*)."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, mel: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        """Take mel (B, 12, 40) and the state; return mouth and voice in [0, 1], viseme logits.

        First those of the picture, then the new state, then those of the next picture.
        """
        seen, state = self.net.senses(mel, h)
        seen = seen[:, 0]
        near_mouth, near_viseme, near_voice = self.net.near(seen)
        seen = self.net.mixed(seen)
        return (
            torch.sigmoid(self.net.mouth(seen)), self.net.viseme(seen),
            torch.sigmoid(self.net.voice(seen)), state,
            torch.sigmoid(near_mouth), near_viseme, torch.sigmoid(near_voice),
        )  # fmt: skip


def window(mel: Tensor, pictures: int) -> Tensor:
    """Cut what `pictures` from 0 on may hear. (B, frames, 40) to (B, 8 + 4 pictures, 40).

    Frames before the recording repeat its first one.
    """
    first = NEWEST - FRAMES_PER_STEP + 1 - HISTORY
    index = torch.arange(first, first + HISTORY + FRAMES_PER_STEP * pictures)
    return mel[:, index.clamp(0, mel.shape[1] - 1).to(mel.device)]


def save(net: Net, progress: dict[str, object], path: str) -> None:
    """Write a checkpoint."""
    torch.save({"size": asdict(net.size), "weights": net.state_dict(), **progress}, path)


def load(path: str) -> tuple[Net, dict[str, object]]:
    """Read a checkpoint into the memory of the host. One without near heads gets untrained ones."""
    kept = torch.load(path, weights_only=True, map_location="cpu")
    net = Net(Size(**kept.pop("size")))
    weights = {f"near.{name}": value for name, value in net.near.state_dict().items()}
    net.load_state_dict(weights | kept.pop("weights"))
    return net, kept
