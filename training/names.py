"""Teaches the viseme heads of a finished net anew, and nothing else.

    python -m training.names NET.pt EXAMPLES [EXAMPLES ...] --out NET.pt [--most 600] [--steps 2500]

What a picture is called is a choice of labels (`training.examples.named`), and the memory of a net
knows more moments of a picture than its heads speak of. The body is run once over disturbed
examples; then both heads, for 80 and for 40 ms, learn in minutes on one core. Everything else of
the net stays as it was, bit by bit.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .heads import Seen, seen
from .net import Net, load, save
from .train import Examples, lr_at

BATCH: Final = 24
RATE: Final = 2e-3
HELD: Final = 14
"""One example in so many is not learned from."""


@torch.no_grad()
def looked_at(net: Net, made: Seen) -> tuple[Tensor, Tensor]:
    """Return what the heads for 80 and for 40 ms look at. float16, (n, 250, hidden | 96)."""
    net.eval()
    far, near = [], []
    for start in range(0, len(made), BATCH):
        senses = made.senses[start : start + BATCH].float()
        far.append(net.mixed(senses).half())
        near.append(torch.relu(net.near.mix(senses)).half())
    return torch.cat(far), torch.cat(near)


def taught(head: nn.Linear, looked: Tensor, viseme: Tensor, *, steps: int, seed: int = 0) -> float:
    """Train a head and return how often it names speech of held examples right.

    Args:
        head: Changed in place.
        looked: What it looks at. (n, T, d).
        viseme: What it shall say. (n, T).
        steps: Of `BATCH` examples.
        seed: Of their order.
    """
    held = torch.arange(len(looked)) % HELD == 0
    learned = torch.nonzero(~held)[:, 0]
    rise = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=1e-4)
    chance = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in rise.param_groups:
            group["lr"] = lr_at(step, steps, RATE)
        index = learned[torch.randint(0, len(learned), (BATCH,), generator=chance)]
        said = head(looked[index].float()).flatten(0, 1)
        loss = functional.cross_entropy(said, viseme[index].flatten(), label_smoothing=0.03)
        rise.zero_grad()
        loss.backward()
        rise.step()
    with torch.no_grad():
        said, right = head(looked[held].float()).argmax(-1), viseme[held]
    return float((said == right)[right > 0].float().mean())


def teach(net: Net, made: Seen, *, steps: int) -> dict[str, float]:
    """Teach both viseme heads; return how often each is right on held examples."""
    far, near = looked_at(net, made)
    return {
        "viseme_accuracy": taught(net.viseme, far, made.viseme, steps=steps),
        "near_viseme_accuracy": taught(net.near.viseme, near[:, :-1], made.viseme[:, 1:], steps=steps),
    }  # fmt: skip


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.names")
    parser.add_argument("net", type=Path)
    parser.add_argument("examples", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=600, help="examples of each folder")
    parser.add_argument("--steps", type=int, default=2_500)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    net, progress = load(str(args.net))
    parts = [seen(net, Examples([folder]), args.most) for folder in args.examples]
    made = Seen(*(torch.cat([getattr(p, f) for p in parts]) for f in ("senses", "mouth", "viseme")))
    print({name: round(figure, 4) for name, figure in teach(net, made, steps=args.steps).items()})
    part = args.out.with_suffix(".part")
    save(net, progress, str(part))
    part.replace(args.out)


if __name__ == "__main__":
    main()
