import json
from pathlib import Path

import numpy as np
import pytest

from vietmer_core.data.audio import read_segment
from vietmer_core.data.check import check_split
from vietmer_core.data.manifest import Manifest, ManifestSource

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the corpora of `../shared/data` are not here")


def source(name: str) -> ManifestSource:
    return ManifestSource(path=DATA / name)


@pytest.mark.parametrize(
    ("names", "num_rows", "num_labels", "hours"),
    [
        (["ravdess/train.jsonl", "ravdess/valid.jsonl", "ravdess/test.jsonl"], 1440, 8, 1.48),
        (["paired_ravdess_vsmec/test.jsonl"], 240, 7, 0.254),
        (["vsmec_text/train.jsonl", "vsmec_text/valid.jsonl"], 6234, 7, 0),
        (["vnemos_text/train.jsonl", "vnemos_text/valid.jsonl", "vnemos_text/test.jsonl"], 250, 5, 0),
        (["visec_sample/unlabelled.jsonl"], 300, 0, 0.190),
    ],
)
def test_real_manifests_open_with_their_known_sizes(
    names: list[str], num_rows: int, num_labels: int, hours: float
) -> None:
    manifest = Manifest.open([source(name) for name in names], require_labels=num_labels > 0)
    assert (len(manifest), len(manifest.label_names)) == (num_rows, num_labels)
    assert manifest.sizes.audio_seconds.sum() / 3600 == pytest.approx(hours, abs=0.005)
    lines = [json.loads(line) for name in names for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    for row, utterance in zip(lines, manifest, strict=True):
        assert (utterance.utterance_id, utterance.transcript) == (row["utterance_id"], row["transcript"])


def test_a_real_clip_is_read_whole() -> None:
    manifest = Manifest.open([source("ravdess/valid.jsonl")], require_labels=True)
    clip = manifest[0]
    assert clip.wav_path is not None
    samples = read_segment(clip.wav_path, start=clip.start, end=clip.end, channel="mono", sampling_rate=16_000)
    assert abs(len(samples) / 16_000 - manifest.sizes.audio_seconds[0]) < 1e-3
    assert np.abs(samples).max() > 1e-4


def test_real_recordings_pass_the_check() -> None:
    report = check_split([source("visec_sample/unlabelled.jsonl")])
    assert report.num_recordings == 300
    assert {finding.fault.code for finding in report.findings} == {"absent-text"}


def test_rows_of_a_real_corpus_without_audio_or_transcript_are_found() -> None:
    report = check_split([source(f"vnemos_text/{split}.jsonl") for split in ("train", "valid", "test")])
    codes = [finding.fault.code for finding in report.of_severity("error")]
    assert codes == ["no-modality"] * 22
