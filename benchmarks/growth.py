"""Growth of samplers and of opening a manifest, 10^2 to 10^6 utterances, as Markdown tables.

Run: `python benchmarks/growth.py`. A sampler's time is that of one epoch's order, the best of several, on lengths like
those of speech; it is built before. A manifest is opened in a process of its own, by `benchmarks/manifest.py`. The
exponent is fitted to the logarithms by least squares: 1.0 is linear. The fixed cost of small splits makes it smaller,
so that from the two largest sizes stands beside it. One thread.
"""

import argparse
import runpy
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.data.sizes import UtteranceSizes

COUNTS: Final = (100, 1_000, 10_000, 100_000, 1_000_000)
REPEATS: Final = 5
FORMS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("uniform", {}),
    ("uniform", {"max_frames": 2000}),
    ("length_bucket", {}),
    ("length_bucket", {"pool_batches": 100}),
    ("length_bucket", {"max_frames": 2000, "max_tokens": 160}),
    ("length_bucket", {"canonical": True}),
    ("weighted", {}),
    ("weighted_bucket", {}),
    ("weighted_bucket", {"max_frames": 2000, "max_tokens": 160}),
    ("weighted_bucket", {"canonical": True}),
)


def split(count: int) -> UtteranceSizes:
    """Lengths with the long tail of speech: 1 to 25 s, median about 2 s; four classes."""
    generator = np.random.default_rng(0)
    seconds = np.minimum(25, 1 + generator.lognormal(0, 0.8, count)).astype(np.float32)
    return UtteranceSizes(
        audio_seconds=seconds,
        text_words=np.round(seconds * generator.uniform(2.5, 4.5, count)).astype(np.int32),
        labels=(np.arange(count) % 4).astype(np.int32),
    )


def epoch_seconds(kind: str, params: dict[str, Any], sizes: UtteranceSizes) -> float:
    """Time of an epoch's order, the best of several."""
    component = installed_catalogue().component(Role.SAMPLER, kind)
    sampler = component.build(component.params.model_validate(params), sizes=sizes, seed=0)
    times = []
    for epoch in range(REPEATS):
        begin = time.perf_counter()
        sampler.batches(epoch)
        times.append(time.perf_counter() - begin)
    return min(times)


def opening_seconds(counts: Sequence[int]) -> list[float]:
    """Time of opening a manifest of each size, the best of several."""
    manifest = runpy.run_path(str(Path(__file__).with_name("manifest.py")))
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            path = Path(folder) / f"{count}.jsonl"
            manifest["write_manifest"](path, count)
            times.append(min(float(manifest["measure"](path)["seconds"]) for _ in range(2)))
            path.unlink()
    return times


def line(name: str, counts: Sequence[int], times: Sequence[float]) -> str:
    """A row of the table."""
    fitted = float(np.polyfit(np.log(counts), np.log(times), 1)[0])
    last = float(np.log(times[-1] / times[-2]) / np.log(counts[-1] / counts[-2]))
    return f"| {name} | {' | '.join(f'{1e3 * value:.2f}' for value in times)} | {fitted:.2f} | {last:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    counts: list[int] = parser.parse_args().counts
    print(f"| ms | {' | '.join(f'{count:,}' for count in counts)} | exponent | of the last two |")
    print(f"|---|{'--:|' * (len(counts) + 2)}")
    splits = [split(count) for count in counts]
    for kind, params in FORMS:
        note = ", ".join(f"`{name}: {str(value).lower()}`" for name, value in params.items())
        times = [epoch_seconds(kind, params, sizes) for sizes in splits]
        print(line(f"`{kind}`{', ' if note else ''}{note}", counts, times), flush=True)
    print(line("opening a manifest", counts, opening_seconds(counts)))


if __name__ == "__main__":
    main()
