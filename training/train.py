"""Trains the net on the CPU, or on a GPU where there is one. Goes on where it was killed.

    python -m training.train EXAMPLES --validation EXAMPLES --out FOLDER
                             [--steps 6000] [--hidden 160] [--channels 96] [--layers 2]

FOLDER gets `last.pt` every 200 steps, `best.pt` when validation says so, and `log.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar_worker.frames import MOUTH_NAMES

from .examples import PICTURES
from .net import Net, Size, load, save, window

BATCH: Final = 32
RATE: Final = 2e-3  # where the cosine starts
KEEP_EVERY: Final = 200
RARE: Final = 1.0  # how much a closing counts against a picture without one
_CLOSE: Final = MOUTH_NAMES.index("lipClose")
_WEIGHTS: Final = torch.tensor([1.0, 2, 0.8, 1, 0.6, 0.4, 0.2, 0.7, 0.6, 1, 0.5, 0.5])
"""Of the controls, in the order of `MOUTH_NAMES`."""


class Examples:
    """Every shard of some folders, in memory."""

    def __init__(self, folders: list[Path]) -> None:
        shards = sorted(shard for folder in folders for shard in folder.glob("*.npz"))
        parts: dict[str, list[Tensor]] = {}
        for shard in shards:
            with np.load(shard) as file:
                for key in file.files:
                    parts.setdefault(key, []).append(torch.from_numpy(file[key]))
        self.fields = {key: torch.cat(values) for key, values in parts.items()}

    def __len__(self) -> int:
        return len(self.fields["mel"])

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return mel, mouth, viseme and units of some examples."""
        f = self.fields
        return (
            f["mel"][index].float(), f["mouth"][index].float(),
            f["viseme"][index].long(), f["units"][index].long(),
        )  # fmt: skip


def warped(mel: Tensor) -> Tensor:
    """Disturb log-mel: longer and shorter throats, other microphones, a floor, missing bands."""
    batch, frames, bands = mel.shape
    place = torch.arange(bands)[None] * (1 + (torch.rand(batch, 1) - 0.5) * 0.24)
    place = place.clamp(0, bands - 1.001)
    low, share = place.long(), (place - place.floor())[:, None]
    pick = low[:, None].expand(-1, frames, -1)
    mel = mel.gather(2, pick) * (1 - share) + mel.gather(2, pick + 1) * share
    shape = {"mode": "linear", "align_corners": True}
    mel = mel + functional.interpolate(torch.randn(batch, 1, 6) * 0.2, size=bands, **shape)
    floor = functional.interpolate(torch.randn(batch, 1, 5) * 0.4, size=bands, **shape)
    floor = floor + torch.rand(batch, 1, 1) * 3.5 - 6.5
    mel = torch.log10(10**mel + 10**floor)
    mel = mel + torch.randn_like(mel) * torch.rand(batch, 1, 1) * 0.12
    width = int(torch.randint(1, 6, ()))
    start = int(torch.randint(0, bands - width, ()))
    some = torch.rand(batch) < 0.3
    mel[some, :, start : start + width] = mel[some, :, start : start + width].mean(1, keepdim=True)
    return mel


def loss_of(
    net: Net, mel: Tensor, mouth: Tensor, viseme: Tensor, units: Tensor
) -> dict[str, Tensor]:
    """Return the parts of the loss, weighted; their sum is what training lowers."""
    said, named, voiced, inner = net(window(mel, PICTURES))
    ours = torch.sigmoid(said)
    weights = _WEIGHTS.to(ours.device)
    # Closing is a decision, so it learns by likelihood alone; the rest are places.
    places = functional.smooth_l1_loss(ours, mouth, beta=0.05, reduction="none")
    moves = ((ours[:, 1:] - ours[:, :-1]) - (mouth[:, 1:] - mouth[:, :-1])).abs()
    closing = functional.binary_cross_entropy_with_logits(
        said[..., _CLOSE], mouth[..., _CLOSE], pos_weight=ours.new_tensor(RARE)
    )
    voice = functional.binary_cross_entropy_with_logits(voiced, (viseme > 0).float())
    return {
        "places": 4 * (weights * places).mean(),
        "moves": (weights * moves).mean(),
        "closing": 1.0 * closing,
        "visemes": 0.35 * functional.cross_entropy(named.flatten(0, 1), viseme.flatten(), label_smoothing=0.03),
        "voice": 0.2 * voice,
        "units": 0.25 * functional.cross_entropy(inner.flatten(0, 2), units.flatten(), label_smoothing=0.03),
    }  # fmt: skip


@torch.no_grad()
def validate(net: Net, held: Examples) -> dict[str, float]:
    """Return the loss and the accuracies on speech that is not trained on."""
    net.eval()
    total = right = spoken = count = 0.0
    for start in range(0, len(held), BATCH):
        index = torch.arange(start, min(start + BATCH, len(held)))
        mel, mouth, viseme, units = held.batch(index)
        parts = loss_of(net, mel, mouth, viseme, units)
        total += float(sum(parts.values())) * len(index)
        named = net(window(mel, PICTURES))[1].argmax(-1)
        right += float(((named == viseme) & (viseme > 0)).sum())
        spoken += float((viseme > 0).sum())
        count += len(index)
    net.train()
    return {"loss": total / max(1, count), "viseme_accuracy": right / max(1, spoken)}


def train(
    net: Net,
    made: Examples,
    held: Examples,
    folder: Path,
    *,
    steps: int,
    done: int,
    best: float,
    rate: float = RATE,
) -> None:
    """Train from step `done` to `steps`."""
    slow = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-4)
    if (folder / "optimiser.pt").exists() and done:
        slow.load_state_dict(torch.load(folder / "optimiser.pt", weights_only=True))
    per_pass = max(1, len(made) // BATCH)
    started = time.monotonic()
    averages: dict[str, float] = {}
    for step in range(done, steps):
        # The order of a pass follows from its number, so going on repeats nothing.
        order = torch.randperm(len(made), generator=torch.Generator().manual_seed(step // per_pass))
        at = step % per_pass * BATCH
        mel, *labels = made.batch(order[at : at + BATCH])
        for group in slow.param_groups:
            group["lr"] = (
                rate
                * min(1, (step + 1) / 60)
                * (0.5 + 0.5 * math.cos(math.pi * step / steps) + 0.01)
            )
        parts = loss_of(net, warped(mel), *labels)
        slow.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        slow.step()
        for key, value in parts.items():
            now = value.item()
            averages[key] = 0.98 * averages.get(key, now) + 0.02 * now
        if (step + 1) % KEEP_EVERY == 0 or step + 1 == steps:
            seen = validate(net, held)
            line = {"step": step + 1, "passes": round((step + 1) / per_pass, 2), **{k: round(v, 4) for k, v in averages.items()}, **{f"held_{k}": round(v, 4) for k, v in seen.items()}, "minutes": round((time.monotonic() - started) / 60, 2)}  # fmt: skip
            print(json.dumps(line), flush=True)
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            torch.save(slow.state_dict(), folder / "optimiser.part")
            (folder / "optimiser.part").replace(folder / "optimiser.pt")
            for name in ("last", *(["best"] if seen["loss"] < best else [])):
                save(
                    net,
                    {"step": step + 1, "best": min(best, seen["loss"])},
                    str(folder / f"{name}.part"),
                )
                (folder / f"{name}.part").replace(folder / f"{name}.pt")
            best = min(best, seen["loss"])


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.train")
    parser.add_argument("examples", type=Path, nargs="+")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start-from", type=Path, help="weights to begin with, not step 0 of them")
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--channels", type=int, default=96)
    parser.add_argument("--hidden", type=int, default=160)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=RATE, help="at the start; less to go on")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    args.out.mkdir(parents=True, exist_ok=True)
    made, held = Examples(args.examples), Examples([args.validation])
    done, best = 0, math.inf
    if (args.out / "last.pt").exists():
        net, progress = load(str(args.out / "last.pt"))
        done, best = int(str(progress["step"])), float(str(progress["best"]))
    elif args.start_from:
        net, _ = load(str(args.start_from))
    else:
        net = Net(Size(args.channels, args.hidden, args.layers))
        every = made.fields["mel"][::5].float().reshape(-1, made.fields["mel"].shape[-1])
        net.mean.copy_(every.mean(0))
        net.spread.copy_(every.std(0))
    weights = sum(p.numel() for p in net.parameters())
    print(f"{weights} weights, {len(made)} examples, from step {done}", flush=True)
    train(net, made, held, args.out, steps=args.steps, done=done, best=best, rate=args.rate)


if __name__ == "__main__":
    main()
