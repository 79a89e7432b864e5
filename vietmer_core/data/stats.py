"""`vietmer data stats`: what a split holds, in numbers. Torch-free."""

from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.manifest import Manifest

STATISTICS_VERSION: Final = 1
"""Version of the JSON form; it rises when a field changes its meaning or goes."""

NUM_BINS: Final = 30


@attrs.frozen(kw_only=True)
class Distribution:
    """Order statistics and a histogram of equal bins from 0 to the largest value; all 0 where there is no value.

    Attributes:
        count: Number of values.
        total: Their sum.
        edges: Bounds of the bins, one more than `counts`.
        counts: Values in each bin.
    """

    count: int
    total: float
    min: float
    median: float
    mean: float
    p95: float
    max: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@attrs.frozen(kw_only=True)
class SplitStatistics:
    """What a split holds.

    Attributes:
        files: The manifests.
        label_field: The field that holds the label.
        num_utterances: Rows.
        modalities: Rows with `audio and text`, `audio only`, `text only` and `neither`.
        seconds: Durations of the rows that have audio, s.
        words: Space-separated words of the rows that have a transcript.
        classes: Rows of each label, the most frequent first.
        num_unlabelled: Rows without a label.
        speakers: Utterances of each known speaker, the most frequent first.
        num_unknown_speaker: Rows whose speaker is unknown.
        utterances_per_speaker: Distribution of the utterances of a known speaker.
    """

    files: tuple[str, ...]
    label_field: str
    num_utterances: int
    modalities: Mapping[str, int]
    seconds: Distribution
    words: Distribution
    classes: Mapping[str, int]
    num_unlabelled: int
    speakers: Mapping[str, int]
    num_unknown_speaker: int
    utterances_per_speaker: Distribution

    def as_json(self) -> dict[str, Any]:
        """The statistics as plain JSON values."""
        return {"version": STATISTICS_VERSION, **attrs.asdict(self)}


def describe(values: NDArray[Any]) -> Distribution:
    """The distribution of values `(values,)` that are not negative."""
    if not len(values):
        zeros = {"total": 0.0, "min": 0.0, "median": 0.0, "mean": 0.0, "p95": 0.0, "max": 0.0}
        return Distribution(count=0, **zeros, edges=(), counts=())
    precise = values.astype(np.float64)  # (values,)
    whole = np.issubdtype(values.dtype, np.integer)
    width = max(1, int(np.ceil((precise.max() + 1) / NUM_BINS))) if whole else 0
    last = max(float(precise.max()), 1e-9)
    bins = np.arange(0, precise.max() + width + 1, width) if whole else np.linspace(0, last, NUM_BINS + 1)
    counts, edges = np.histogram(precise, bins=bins)  # (bins,), (bins + 1,)
    return Distribution(
        count=len(precise),
        total=float(precise.sum()),
        min=float(precise.min()),
        median=float(np.median(precise)),
        mean=float(precise.mean()),
        p95=float(np.percentile(precise, 95)),
        max=float(precise.max()),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def _frequencies(codes: NDArray[np.int32], names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(codes[codes >= 0], minlength=len(names))  # (names,)
    order = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
    return {names[code]: int(counts[code]) for code in order}


def summarise(manifest: Manifest) -> SplitStatistics:
    """The statistics of an open split, from its index alone."""
    sizes, speakers = manifest.sizes, manifest.speakers
    has_audio, has_text = sizes.audio_seconds > 0, sizes.text_words > 0
    spoken = _frequencies(speakers.codes, speakers.names)
    return SplitStatistics(
        files=tuple(str(source.path) for source in manifest.sources),
        label_field=manifest.label_field,
        num_utterances=len(manifest),
        modalities={
            "audio and text": int((has_audio & has_text).sum()),
            "audio only": int((has_audio & ~has_text).sum()),
            "text only": int((~has_audio & has_text).sum()),
            "neither": int((~has_audio & ~has_text).sum()),
        },
        seconds=describe(sizes.audio_seconds[has_audio]),
        words=describe(sizes.text_words[has_text]),
        classes=_frequencies(sizes.labels, manifest.label_names),
        num_unlabelled=int((sizes.labels < 0).sum()),
        speakers=spoken,
        num_unknown_speaker=int((speakers.codes < 0).sum()),
        utterances_per_speaker=describe(np.array(list(spoken.values()), dtype=np.int64)),
    )
