"""Copies of audio that an audit finds, by what was done to them, and the time that it takes.

Run `python benchmarks/audit.py MANIFEST...`, such as the three of RAVDESS. Every clip is fingerprinted, some are
changed and added, and all are compared: a table of the copies found, their share of differing bits and the pairs that
are no copies. A second table holds the time and memory of audits of text alone. It imports no torch.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from vietmer_core.audit.columns import groups_of
from vietmer_core.audit.fingerprints import RATE, Fingerprint, fingerprint
from vietmer_core.audit.listening import Heard
from vietmer_core.audit.matching import near_copies
from vietmer_core.data.audio import audio_info, read_segment
from vietmer_core.data.manifest import Manifest, ManifestSource

Waveform = NDArray[np.float32]
WORDS: Final = tuple(f"{a}{b}{c}" for a in ("", *"bcdđghklmnrstvx") for b in "aăâeêioôơuư" for c in ("", *"cmnpt"))
MEASURE: Final = """
import json, resource, sys, time
from pathlib import Path
from vietmer_core.audit import audit_splits
from vietmer_core.data.manifest import ManifestSource
imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.process_time()
audit_splits({"train": [ManifestSource(path=Path(sys.argv[1]))], "test": [ManifestSource(path=Path(sys.argv[2]))]})
seconds = time.process_time() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "mib": (peak - imported) / 1024}))
"""


def g711(samples: Waveform) -> Waveform:
    companded = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256)
    coded = np.round(companded * 127) / 127
    decoded: Waveform = (np.sign(coded) * (256 ** np.abs(coded) - 1) / 255).astype(np.float32)
    return decoded


def resampled(samples: Waveform, before: int, after: int) -> Waveform:
    found: Waveform = soxr.resample(samples, before, after, quality="HQ")
    return found


def with_noise(samples: Waveform, decibels: float) -> Waveform:
    noise = np.random.default_rng(0).standard_normal(len(samples))
    level = np.sqrt(np.mean(samples.astype(np.float64) ** 2)) * 10 ** (-decibels / 20)
    noisy: Waveform = (samples + level * noise).astype(np.float32)
    return noisy


CHANGES: Final[dict[str, Callable[[Waveform, int], Waveform]]] = {
    "gain −20 dB, 16 bits": lambda x, _: (np.round(x * 0.1 * 2**15) / 2**15).astype(np.float32),
    "gain +12 dB, clipped": lambda x, _: np.clip(4 * x, -1, 1).astype(np.float32),
    "through 8 kHz": lambda x, rate: resampled(resampled(x, rate, 8000), 8000, rate),
    "through 44.1 kHz": lambda x, rate: resampled(resampled(x, rate, 44_100), 44_100, rate),
    "G.711 µ-law": lambda x, rate: resampled(g711(resampled(x, rate, 8000)), 8000, rate),
    "50 ms cut from both ends": lambda x, rate: x[rate // 20 : -rate // 20],
    "57 ms cut, G.711": lambda x, rate: resampled(g711(resampled(x[rate * 57 // 1000 :], rate, 8000)), 8000, rate),
    "white noise, 20 dB": lambda x, _: with_noise(x, 20),
    "white noise, 10 dB": lambda x, _: with_noise(x, 10),
    "the middle half alone": lambda x, _: x[len(x) // 4 : -len(x) // 4],
    "speed 1.03": lambda x, rate: resampled(x, round(1.03 * rate), rate),
}


def read(manifest: Manifest) -> list[tuple[Waveform, int]]:
    clips = []
    for utterance in manifest:
        assert utterance.wav_path is not None
        rate = audio_info(utterance.wav_path).sampling_rate
        samples = read_segment(
            utterance.wav_path, start=utterance.start, end=utterance.end, channel="mix", sampling_rate=rate
        )
        clips.append((samples, rate))
    return clips


def joined(prints: Sequence[Fingerprint], digests: Sequence[int]) -> Heard:
    ends = np.cumsum([len(one.bits) for one in prints])
    silent = np.zeros(len(prints), dtype=np.bool_)
    return Heard(
        decoded=~silent,
        silent=silent,
        samples=np.array(digests, dtype=np.int64),
        measures={},
        bits=np.concatenate([one.bits for one in prints]),
        active=np.concatenate([one.active for one in prints]),
        spans=np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1),
        faults={},
    )


def compare_copies(paths: Sequence[Path], *, num_changed: int) -> None:
    manifest = Manifest.open([ManifestSource(path=path) for path in paths], require_labels=False)
    begin = time.perf_counter()
    clips = read(manifest)
    decoded = time.perf_counter()
    prints = [fingerprint(resampled(samples, rate, RATE)) for samples, rate in clips]
    printed = time.perf_counter()
    digests = [hash(samples.tobytes()) or 1 for samples, _ in clips]
    heard = joined(prints, digests)
    found = near_copies(heard)
    compared = time.perf_counter()
    exact = sum(len(group) - 1 for group in groups_of(heard.samples))
    seconds = sum(len(samples) / rate for samples, rate in clips)
    size = (heard.bits.nbytes + heard.active.nbytes) / seconds
    print(f"{len(clips):,} clips, {seconds / 3600:.2f} h: decoded in {decoded - begin:.1f} s, ", end="")
    print(f"fingerprinted in {printed - decoded:.1f} s ({size:.0f} bytes a second), ", end="")
    print(f"compared in {compared - printed:.2f} s; {exact} repeated to the sample, {len(found)} pairs nearly.\n")
    known = {(match.first, match.second) for match in found}
    chosen = sorted(random.Random(0).sample(range(len(clips)), num_changed))  # noqa: S311  # a sample, nothing secret
    print("| change | copies found | differing bits, mean | most | pairs of different clips |")
    print("|---|--:|--:|--:|--:|")
    for name, change in CHANGES.items():
        changed = [fingerprint(resampled(change(*clips[index]), clips[index][1], RATE)) for index in chosen]
        fresh = range(2, 2 + num_changed)
        everything = near_copies(joined([*prints, *changed], [*digests, *fresh]))
        twins = {(index, len(clips) + place): 0.0 for place, index in enumerate(chosen)}
        rates = [match.bit_error_rate for match in everything if (match.first, match.second) in twins]
        others = [
            match
            for match in everything
            if (match.first, match.second) not in twins
            and (match.first, match.second) not in known
            and digests[match.first] != digests[chosen[match.second - len(clips)]]
        ]
        most, mean = (f"{max(rates):.3f}", f"{np.mean(rates):.3f}") if rates else ("–", "–")
        print(f"| {name} | {len(rates)} of {num_changed} | {mean} | {most} | {len(others)} |")


def write_rows(path: Path, num_rows: int, *, name: str) -> None:
    rng = random.Random(name)  # noqa: S311  # made-up rows, nothing secret
    with path.open("w", encoding="utf-8") as stream:
        for number in range(num_rows):
            row: dict[str, Any] = {
                "utterance_id": f"{name}_{number:07d}",
                "speaker_id": f"{name}_{rng.randrange(500):03d}",
                "wav_path": None,
                "start": None,
                "end": None,
                "transcript": " ".join(rng.choices(WORDS, k=rng.randrange(8, 24))),
                "emotion": rng.choice(("angry", "happy", "neutral", "sad")),
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def measure_text(counts: Sequence[int]) -> None:
    print("| rows | audit, s of a processor | memory above imports, MiB |\n|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            paths = [Path(folder) / f"{name}.jsonl" for name in ("train", "test")]
            for path, size in zip(paths, (count * 4 // 5, count // 5), strict=True):
                write_rows(path, size, name=path.stem)
            command = [sys.executable, "-c", MEASURE, *map(str, paths)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own program
            found = json.loads(done.stdout)
            print(f"| {count:,} | {found['seconds']:.1f} | {found['mib']:.0f} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", type=Path, nargs="*")
    parser.add_argument("--changed", type=int, default=100)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000])
    settings = parser.parse_args()
    measure_text(settings.rows)
    if settings.manifests:
        compare_copies(settings.manifests, num_changed=settings.changed)


if __name__ == "__main__":
    main()
