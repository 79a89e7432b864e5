"""Time and memory of opening a manifest at 10^4, 10^5 and 10^6 lines, each in a process of its own.

Run `python benchmarks/manifest.py`. It prints a Markdown table, with the growth exponent between neighbouring rows
(1.0 is linear) and the memory above that of a process that has only done the imports. It imports no torch.
"""

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import psutil

NUM_LINES: Final = (10_000, 100_000, 1_000_000)
NUM_READS: Final = 2000
WORDS: Final = ("em", "muốn", "hỏi", "về", "đơn", "hàng", "hôm", "qua", "chưa", "thấy", "giao", "tới", "nhà", "mình")
LABELS: Final = ("angry", "happiness", "neutral", "sadness")

MEASURE: Final = """
import json, random, resource, sys, time
from pathlib import Path
from vietmer_core.data.manifest import Manifest, ManifestSource
path, num_reads = sys.argv[1], int(sys.argv[2])
imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.perf_counter()
manifest = Manifest.open([ManifestSource(path=Path(path))], require_labels=True)
seconds = time.perf_counter() - begin
positions = random.Random(0).choices(range(len(manifest)), k=num_reads)
begin = time.perf_counter()
for position in positions:
    manifest[position]
read = (time.perf_counter() - begin) / num_reads
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert "torch" not in sys.modules
print(json.dumps({"seconds": seconds, "read": read, "imported": imported, "peak": peak}))
"""


def write_manifest(path: Path, num_lines: int) -> None:
    rng = random.Random(num_lines)  # noqa: S311  # made-up rows, nothing secret
    with path.open("w", encoding="utf-8") as stream:
        for number in range(num_lines):
            start = round(rng.uniform(0, 300), 3)
            row = {
                "utterance_id": f"call_{number // 8:06d}_{number % 8:02d}",
                "speaker_id": f"speaker_{rng.randrange(500):03d}",
                "wav_path": f"audio/call_{number // 8:06d}.opus",
                "start": start,
                "end": round(start + rng.uniform(0.8, 12), 3),
                "transcript": " ".join(rng.choices(WORDS, k=rng.randrange(4, 24))),
                "emotion": rng.choice(LABELS),
                "call_id": f"call_{number // 8:06d}",
                "turn_index": number % 8,
                "role": "customer",
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def measure(path: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", MEASURE, str(path), str(NUM_READS)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own program
    measured: dict[str, Any] = json.loads(result.stdout)
    return measured


def exponent(before: float, after: float, *, factor: float) -> str:
    return f"{math.log(after / before) / math.log(factor):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=list(NUM_LINES))
    counts = parser.parse_args().lines
    print(f"{psutil.cpu_count()} logical CPUs, Python {sys.version.split()[0]}\n")
    print("| lines | file, MB | open, s | exponent | memory above imports, MiB | exponent | random row, µs |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    last: tuple[int, float, float] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            path = Path(folder) / f"{count}.jsonl"
            write_manifest(path, count)
            found = measure(path)
            seconds, memory = found["seconds"], (found["peak"] - found["imported"]) / 1024
            growth = ["–", "–"]
            if last is not None:
                factor = count / last[0]
                growth = [exponent(last[1], seconds, factor=factor), exponent(last[2], memory, factor=factor)]
            size, read = path.stat().st_size / 1e6, found["read"] * 1e6
            print(f"| {count:,} | {size:.0f} | {seconds:.2f} | {growth[0]} | {memory:.1f} | {growth[1]} | {read:.0f} |")
            last = (count, seconds, memory)
            path.unlink()


if __name__ == "__main__":
    main()
