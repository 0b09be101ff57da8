"""Teaches a finished net more speech without letting it forget what it knows.

    python -m training.further NET.pt EXAMPLES [EXAMPLES ...] --known EXAMPLES --out FOLDER
                              [--steps 500] [--keep 3] [--share 1] [--new 6] [--same 14]

New speech is learned by its labels. Of speech like that it was trained on, the net shall go on
saying what it said (learning without forgetting: Li and Hoiem 2016), so no labels are needed there.
FOLDER gets `last.pt` every 50 steps, from which a killed run goes on, and in the end `net.pt`: so
much of the way from the old weights to the new ones as `--share` says. Near heads are not touched;
`training.heads` teaches them anew.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from avatar_worker.frames import MOUTH_NAMES

from .disturb import disturbed, log_mel, tunes
from .examples import PICTURES
from .net import Net, load, save, window
from .train import Examples, follow, loss_of, lr_at, warped

NEW: Final = 6  # examples of a step
KNOWN: Final = 14
RATE: Final = 4e-4
KEEP_EVERY: Final = 50
_CLOSE: Final = MOUTH_NAMES.index("lipClose")


def _apart(said: Tensor, before: Tensor) -> Tensor:
    """Return the mean divergence of logits over kinds from those before."""
    now, then = functional.log_softmax(said, -1), functional.log_softmax(before, -1)
    return functional.kl_div(now, then, log_target=True, reduction="none").sum(-1).mean()


def forgotten(net: Net, old: Net, mel: Tensor) -> dict[str, Tensor]:
    """Return how far a net is from what the old one says, in the parts that training has.

    Args:
        net: The one that learns.
        old: The finished one.
        mel: Log-mel of examples. (B, frames, 40).
    """
    heard = window(mel, PICTURES)
    mouth, viseme, voice, units = net(heard)
    with torch.no_grad():
        was_mouth, was_viseme, was_voice, was_units = old(heard)
    ours, theirs = torch.sigmoid(mouth), torch.sigmoid(was_mouth)
    closing = functional.binary_cross_entropy_with_logits(mouth[..., _CLOSE], theirs[..., _CLOSE])
    return {
        "places": 4 * functional.smooth_l1_loss(ours, theirs, beta=0.05),
        "closing": 1.5 * closing,
        "visemes": 0.7 * _apart(viseme, was_viseme),
        "voice": 0.4 * functional.binary_cross_entropy_with_logits(voice, torch.sigmoid(was_voice)),
        "units": 0.25 * _apart(units, was_units),
    }


def between(old: Net, new: Net, share: float) -> Net:
    """Return a net whose weights are `share` of the way from the old to the new ones."""
    mixed = copy.deepcopy(old)
    theirs = new.state_dict()
    mixed.load_state_dict(
        {name: torch.lerp(value, theirs[name], share) for name, value in old.state_dict().items()}
    )
    return mixed


def teach(
    old: Net, made: Examples, known: Examples, folder: Path,
    *, steps: int, keep: float, rate: float = RATE, new: int = NEW, same: int = KNOWN,
) -> Net:  # fmt: skip
    """Teach a net and return the mean of its late weights.

    Args:
        old: The finished net; it is not changed.
        made: New speech.
        known: Speech of the kinds that it knows.
        folder: Where `last.pt` is, or comes.
        steps: In all, those before a kill included.
        keep: How much forgetting counts against learning.
        rate: Of learning, at its highest.
        new: New examples in a step.
        same: Known examples in a step.
    """
    old.eval()
    net, done = copy.deepcopy(old), 0
    net.train()
    learned = [weight for name, weight in net.named_parameters() if not name.startswith("near.")]
    slow = torch.optim.AdamW(learned, lr=rate, weight_decay=1e-4)
    mean = copy.deepcopy(net)
    if (folder / "last.pt").exists():
        kept = torch.load(folder / "last.pt", weights_only=True)
        net.load_state_dict(kept["net"])
        mean.load_state_dict(kept["mean"])
        slow.load_state_dict(kept["optimiser"])
        done = int(kept["step"])
    bank = tunes(0)
    for step in range(done, steps):
        chance = torch.Generator().manual_seed(step)
        chosen = torch.randint(0, len(made), (new,), generator=chance)
        again = torch.randint(0, len(known), (same,), generator=chance)
        sound, *labels = made.batch(chosen)
        mel = warped(log_mel(disturbed(torch.cat([sound, known.batch(again)[0]]), bank)))
        for group in slow.param_groups:
            group["lr"] = lr_at(step, steps, rate)
        learning = torch.stack(list(loss_of(net, mel[:new], *labels).values())).sum()
        forgetting = torch.stack(list(forgotten(net, old, mel[new:]).values())).sum()
        slow.zero_grad()
        (learning + keep * forgetting).backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        slow.step()
        follow(mean, net, step)
        if (step + 1) % KEEP_EVERY == 0 or step + 1 == steps:
            print(f"{step + 1}: {learning.item():.3f} to learn, {forgetting.item():.3f} forgotten",
                  flush=True)  # fmt: skip
            kept = {"net": net.state_dict(), "mean": mean.state_dict(),
                    "optimiser": slow.state_dict(), "step": step + 1}  # fmt: skip
            torch.save(kept, folder / "last.part")
            (folder / "last.part").replace(folder / "last.pt")
    mean.eval()
    return mean


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.further")
    parser.add_argument("net", type=Path)
    parser.add_argument("examples", type=Path, nargs="+")
    parser.add_argument("--known", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--keep", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--new", type=int, default=NEW, help="examples of a step")
    parser.add_argument("--same", type=int, default=KNOWN, help="known ones of a step")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    args.out.mkdir(parents=True, exist_ok=True)
    old, _ = load(str(args.net))
    new = teach(
        old, Examples(args.examples), Examples(args.known), args.out,
        steps=args.steps, keep=args.keep, rate=args.rate, new=args.new, same=args.same,
    )  # fmt: skip
    part = args.out / "net.part"
    save(between(old, new, args.share), {"step": args.steps}, str(part))
    part.replace(args.out / "net.pt")


if __name__ == "__main__":
    main()
