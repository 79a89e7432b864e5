"""What each operation on a waveform costs: ms for a second of audio, one thread.

    nox -s bench -- augmentation

Utterances of 2 to 8 s of something like speech at 16 kHz, each operation on every one of them (probability 1), beside
reading a FLAC file of the same length and the log-mel frontend of `audio: fourier2vec`. The least of several rounds,
the operations in turn. Also prints how the codecs' distortion depends on the level of the speech.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from vietmer_core.augment.codec import SUBTYPES, round_trip
from vietmer_core.augment.factory import waveform_augmentation
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.data.audio import read_segment
from vietmer_core.spec_augmentation import AugmentSpec

RATE: Final = 16_000
SECONDS: Final = (2.0, 3.1, 4.7, 8.0)
ROUNDS: Final = 7
LEVELS_DB: Final = (-20, -30, -40, -50)

Waveform = NDArray[np.float32]


def speech(seconds: float, rate: int, *, level_db: float = -26.0) -> Waveform:
    """Harmonics of a gliding pitch under a moving envelope, with breath."""
    moments = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * 0.7 * moments)) / rate
    harmonics = np.sum([np.sin(n * phase + n) / n for n in range(1, 20)], axis=0)
    envelope = 0.05 + np.sin(2 * np.pi * 2.3 * moments) ** 2
    voice = harmonics * envelope + 0.02 * np.random.default_rng(0).standard_normal(len(moments))
    scaled = voice * 10 ** (level_db / 20) / np.sqrt(np.mean(voice**2))
    return np.asarray(scaled, dtype=np.float32)


def operations(folder: Path) -> Mapping[str, list[dict[str, Any]]]:
    """What is timed, each with its entries of `augment.waveform`."""
    return {
        **{f"`noise`, {colour}": [{"kind": "noise", "colours": [colour]}] for colour in ("white", "pink", "brown")},
        "`noise`, a folder of FLAC at 16 kHz": [{"kind": "noise", "folder": folder}],
        **{f"`codec`, {codec}": [{"kind": "codec", "codecs": [codec]}] for codec in SUBTYPES},
        "`band`, order 4": [{"kind": "band"}],
        "`speed`": [{"kind": "speed"}],
        "`gain`": [{"kind": "gain"}],
        "a call: `speed`, `noise`, `gain`, `band`, `codec`": [
            {"kind": kind} for kind in ("speed", "noise", "gain", "band", "codec")
        ],
    }


def changer(entries: list[dict[str, Any]], waveforms: list[Waveform]) -> Callable[[int], None]:
    """Changes every waveform once; another epoch draws other numbers."""
    spec = AugmentSpec.model_validate({"waveform": [{**entry, "probability": 1} for entry in entries]})
    augmentation = waveform_augmentation(spec, sampling_rate=RATE, seed=0)
    assert augmentation is not None

    def change(epoch: int) -> None:
        for identity, waveform in enumerate(waveforms):
            augmentation(waveform, identity=identity, epoch=epoch, num_frames=lambda samples: samples // 160)

    return change


def beside(folder: Path, waveforms: list[Waveform]) -> Mapping[str, Callable[[int], None]]:
    """What an utterance costs without augmentation."""
    component = installed_catalogue().component(Role.AUDIO, "fourier2vec")
    assert component.build_frontend is not None
    frontend = component.build_frontend(component.params())
    paths = [folder / f"utterance_{place}.flac" for place in range(len(waveforms))]
    for path, waveform in zip(paths, waveforms, strict=True):
        soundfile.write(path, waveform, RATE)

    def read(_: int) -> None:
        for path in paths:
            read_segment(path, start=None, end=None, channel="mono", sampling_rate=RATE)

    def frames(_: int) -> None:
        for waveform in waveforms:
            frontend(torch.from_numpy(waveform))

    return {"reading FLAC": read, "log-mel frames (`fourier2vec`)": frames}


def distortion() -> None:
    """Signal to distortion of each codec at 8 kHz, by the level of the speech."""
    print("\n| speech, dB below full scale | " + " | ".join(SUBTYPES) + " |")
    print("|--:|" + "--:|" * len(SUBTYPES))
    for level in LEVELS_DB:
        clean = speech(8.0, 8000, level_db=level).astype(np.float64)
        ratios = []
        for codec in SUBTYPES:
            error = round_trip(clean.astype(np.float32), codec).astype(np.float64) - clean
            ratios.append(f"{10 * np.log10(np.mean(clean**2) / np.mean(error**2)):.1f}")
        print(f"| {-level} | " + " | ".join(ratios) + " |")


def main() -> None:
    torch.set_num_threads(1)
    waveforms = [speech(seconds, RATE) for seconds in SECONDS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "noise").mkdir()
        soundfile.write(folder / "noise" / "street.flac", speech(60, RATE), RATE)
        runs = {
            **beside(folder, waveforms),
            **{title: changer(entries, waveforms) for title, entries in operations(folder / "noise").items()},
        }
        least = dict.fromkeys(runs, float("inf"))
        for epoch in range(ROUNDS):
            for title, run in runs.items():
                began = time.perf_counter()
                run(epoch)
                least[title] = min(least[title], time.perf_counter() - began)
    print("| | ms for a second of audio |\n|---|--:|")
    for title, seconds in least.items():
        print(f"| {title} | {1000 * seconds / sum(SECONDS):.2f} |")
    distortion()


if __name__ == "__main__":
    main()
