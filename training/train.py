"""Trains the net on the CPU, or on a GPU where there is one. Goes on where it was killed.

    python -m training.train EXAMPLES --validation EXAMPLES --out FOLDER
                             [--steps 6000] [--hidden 192] [--channels 72] [--layers 1]

FOLDER gets `last.pt` every 200 steps, `best.pt` when validation says so, and `log.jsonl`. What is
measured and kept is the mean of the weights over the last few hundred steps.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar_worker.errors import ConfigError
from avatar_worker.frames import MOUTH_NAMES

from .disturb import disturbed, log_mel, tunes
from .examples import PICTURES, Example
from .net import Net, Size, load, save, window

BATCH: Final = 32  # on a CPU
BATCH_ON_GPU: Final = 128
REMEMBERS: Final = 0.999  # the mean of the weights, a step
RATE: Final = 2e-3  # where the cosine starts
KEEP_EVERY: Final = 200
RARE: Final = 1.0  # how much a closing counts against a picture without one
_CLOSE: Final = MOUTH_NAMES.index("lipClose")
_WEIGHTS: Final = torch.tensor([1.0, 2, 0.8, 1, 0.6, 0.4, 0.2, 0.7, 0.6, 1, 0.5, 0.5])
"""Of the controls, in the order of `MOUTH_NAMES`."""


class Examples:
    """Every shard of some folders, in the memory of a device.

    Raises:
        ConfigError: If there are none, or they were made before examples held sound.
    """

    def __init__(self, folders: list[Path], device: str = "cpu") -> None:
        shards = sorted(shard for folder in folders for shard in folder.glob("*.npz"))
        parts: dict[str, list[Tensor]] = {}
        for shard in shards:
            with np.load(shard) as file:
                for key in file.files:
                    parts.setdefault(key, []).append(torch.from_numpy(file[key]).to(device))
        if missing := set(Example._fields) - set(parts):
            where = ", ".join(map(str, folders))
            raise ConfigError(f"no examples with {', '.join(sorted(missing))} in {where}")
        self.fields = {key: torch.cat(values) for key, values in parts.items()}

    def __len__(self) -> int:
        return len(self.fields["sound"])

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return sound, mouth, viseme and units of some examples."""
        f = self.fields
        index = index.to(f["sound"].device)
        return (
            f["sound"][index].float() / 32_768, f["mouth"][index].float(),
            f["viseme"][index].long(), f["units"][index].long(),
        )  # fmt: skip


def warped(mel: Tensor) -> Tensor:
    """Disturb log-mel: longer and shorter throats, other microphones, a floor, missing bands."""
    batch, frames, bands = mel.shape
    where = {"device": mel.device}
    place = torch.arange(bands, **where)[None] * (1 + (torch.rand(batch, 1, **where) - 0.5) * 0.24)
    place = place.clamp(0, bands - 1.001)
    low, share = place.long(), (place - place.floor())[:, None]
    pick = low[:, None].expand(-1, frames, -1)
    mel = mel.gather(2, pick) * (1 - share) + mel.gather(2, pick + 1) * share
    shape = {"mode": "linear", "align_corners": True}
    bends = torch.randn(batch, 1, 6, **where) * 0.2
    mel = mel + functional.interpolate(bends, size=bands, **shape)
    bends = torch.randn(batch, 1, 5, **where) * 0.4
    floor = functional.interpolate(bends, size=bands, **shape)
    floor = floor + torch.rand(batch, 1, 1, **where) * 3.5 - 6.5
    mel = torch.log10(10**mel + 10**floor)
    mel = mel + torch.randn_like(mel) * torch.rand(batch, 1, 1, **where) * 0.12
    width = int(torch.randint(1, 6, ()))
    start = int(torch.randint(0, bands - width, ()))
    some = torch.rand(batch, 1, 1, **where) < 0.3
    part = mel[:, :, start : start + width]
    mean = part.mean(1, keepdim=True).expand_as(part)
    mel[:, :, start : start + width] = torch.where(some, mean, part)
    return mel


def said_loss(
    said: Tensor, named: Tensor, voiced: Tensor, mouth: Tensor, viseme: Tensor
) -> dict[str, Tensor]:
    """Return the parts of the loss of logits of mouth, visemes and voice, weighted."""
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
        "closing": 1.5 * closing,
        "visemes": 0.7 * functional.cross_entropy(named.flatten(0, 1), viseme.flatten(), label_smoothing=0.03),
        "voice": 0.4 * voice,
    }  # fmt: skip


def loss_of(
    net: Net, mel: Tensor, mouth: Tensor, viseme: Tensor, units: Tensor
) -> dict[str, Tensor]:
    """Return the parts of the loss, weighted; their sum is what training lowers."""
    said, named, voiced, inner = net(window(mel, PICTURES))
    parts = said_loss(said, named, voiced, mouth, viseme)
    right = functional.cross_entropy(inner.flatten(0, 2), units.flatten(), label_smoothing=0.03)
    return {**parts, "units": 0.25 * right}


@torch.no_grad()
def validate(net: Net, held: Examples) -> dict[str, float]:
    """Return the loss and the accuracies on speech that is not trained on."""
    net.eval()
    total = right = spoken = count = 0.0
    for start in range(0, len(held), BATCH):
        index = torch.arange(start, min(start + BATCH, len(held)))
        sound, mouth, viseme, units = held.batch(index)
        mel = log_mel(sound)
        parts = loss_of(net, mel, mouth, viseme, units)
        total += float(sum(parts.values())) * len(index)
        named = net(window(mel, PICTURES))[1].argmax(-1)
        right += float(((named == viseme) & (viseme > 0)).sum())
        spoken += float((viseme > 0).sum())
        count += len(index)
    net.train()
    return {"loss": total / max(1, count), "viseme_accuracy": right / max(1, spoken)}


def lr_at(step: int, steps: int, rate: float) -> float:
    """Return the rate of a step: a short rise, then half a cosine."""
    return rate * min(1, (step + 1) / 60) * (0.5 + 0.5 * math.cos(math.pi * step / steps) + 0.01)


@torch.no_grad()
def follow(mean: Net, net: Net, step: int) -> None:
    """Move the mean of the weights towards those of the net."""
    share = 1 - min(REMEMBERS, (step + 1) / (step + 10))
    for slow, fast in zip(mean.parameters(), net.parameters(), strict=True):
        slow.lerp_(fast, share)


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
    size: int = BATCH,
) -> None:
    """Train from step `done` to `steps`, `size` examples at once."""
    device = next(net.parameters()).device
    slow = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-4)
    mean = copy.deepcopy(net)
    if (folder / "optimiser.pt").exists() and done:
        kept = torch.load(folder / "optimiser.pt", weights_only=True)
        slow.load_state_dict(kept["optimiser"])
        mean.load_state_dict(kept["mean"])
    bank = tunes(0).to(device)
    per_pass = max(1, len(made) // size)
    started = time.monotonic()
    averages: dict[str, float] = {}
    for step in range(done, steps):
        # The order of a pass follows from its number, so going on repeats nothing.
        order = torch.randperm(len(made), generator=torch.Generator().manual_seed(step // per_pass))
        at = step % per_pass * size
        sound, *labels = made.batch(order[at : at + size])
        for group in slow.param_groups:
            group["lr"] = lr_at(step, steps, rate)
        parts = loss_of(net, warped(log_mel(disturbed(sound, bank))), *labels)
        slow.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        slow.step()
        follow(mean, net, step)
        if (step + 1) % 10 == 0 or not averages:  # reading a value waits for the GPU
            for key, value in parts.items():
                now = value.item()
                averages[key] = 0.9 * averages.get(key, now) + 0.1 * now
        if (step + 1) % KEEP_EVERY == 0 or step + 1 == steps:
            seen = validate(mean, held)
            line = {"step": step + 1, "passes": round((step + 1) / per_pass, 2), **{k: round(v, 4) for k, v in averages.items()}, **{f"held_{k}": round(v, 4) for k, v in seen.items()}, "minutes": round((time.monotonic() - started) / 60, 2)}  # fmt: skip
            print(json.dumps(line), flush=True)
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            kept = {"optimiser": slow.state_dict(), "mean": mean.state_dict()}
            torch.save(kept, folder / "optimiser.part")
            (folder / "optimiser.part").replace(folder / "optimiser.pt")
            progress: dict[str, object] = {"step": step + 1, "best": min(best, seen["loss"])}
            # `last` says what the best loss is, so `best` must be there before it.
            for name, which in (*([("best", mean)] if seen["loss"] < best else []), ("last", net)):
                save(which, progress, str(folder / f"{name}.part"))
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
    parser.add_argument("--channels", type=int, default=72)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--batch", type=int, help="examples in a step")
    parser.add_argument("--rate", type=float, default=RATE, help="at the start; less to go on")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    args.out.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    made, held = Examples(args.examples, device), Examples([args.validation], device)
    done, best = 0, math.inf
    if (args.out / "last.pt").exists():
        net, progress = load(str(args.out / "last.pt"))
        done, best = int(str(progress["step"])), float(str(progress["best"]))
    elif args.start_from:
        net, _ = load(str(args.start_from))
    else:
        net = Net(Size(args.channels, args.hidden, args.layers))
        net.normalise(log_mel(made.batch(torch.arange(0, len(made), 5)[:500])[0]))
    net.to(device)
    weights = sum(p.numel() for p in net.parameters())
    print(f"{weights} weights, {len(made)} examples, from step {done}", flush=True)
    size = args.batch or (BATCH_ON_GPU if device == "cuda" else BATCH)
    train(
        net, made, held, args.out,
        steps=args.steps, done=done, best=best, rate=args.rate, size=size,
    )  # fmt: skip


if __name__ == "__main__":
    main()
