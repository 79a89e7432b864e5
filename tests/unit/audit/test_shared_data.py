import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vietmer_core.audit import AuditReport, Finding, audit_splits
from vietmer_core.data.manifest import ManifestSource

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the corpora of `../shared/data` are not here")


def sources(corpus: str, *splits: str) -> dict[str, list[ManifestSource]]:
    return {split: [ManifestSource(path=DATA / corpus / f"{split}.jsonl")] for split in splits}


def finding(report: AuditReport, code: str) -> Finding:
    found = [finding for finding in report.findings if finding.code == code]
    assert len(found) == 1, [str(one) for one in found]
    return found[0]


def counts(report: AuditReport, code: str) -> Mapping[str, int]:
    """Rows of test that share a source with train, by level."""
    return {
        str(one).split("level `")[1].split("`")[0]: one.count
        for one in report.findings
        if one.code == code and one.splits == ("train", "test")
    }


def test_the_sources_and_speakers_of_vnemos_are_found_out() -> None:
    report = audit_splits(sources("vnemos_text", "train", "valid", "test"))
    assert report.verdict == "leak"
    assert counts(report, "shared-source") == {"file": 9, "recording": 17, "episode": 20}
    assert counts(report, "shared-show") == {"show": 23}
    assert finding(report, "false-speaker").count == 250
    labels = finding(report, "one-label-source")
    assert (labels.count, labels.total) == (94, 95)


def test_every_copy_of_visec_is_found_and_nothing_but_copies() -> None:
    report = audit_splits(sources("visec_sample", "unlabelled"))
    lines = (DATA / "visec_sample" / "exact_duplicates.tsv").read_text(encoding="utf-8").splitlines()
    known = {frozenset(name.removesuffix(".flac") for name in line.split("\t")) for line in lines}
    found = {
        frozenset(name.removeprefix("visec_") for name in pair) for pair in finding(report, "repeated-audio").pairs
    }
    assert len(known) == 30
    assert known <= found
    assert found - known == {frozenset({"01979", "02647"})}  # the file lists 30, but these two are one, too
    for pair in found:
        one, other = (soundfile.read(DATA / "visec_sample" / "audio" / f"{name}.flac")[0] for name in sorted(pair))
        assert np.array_equal(one, other)
    near = finding(report, "repeated-near-audio")
    assert set(near.pairs) == {("visec_00120", "visec_02263"), ("visec_02263", "visec_03351")}
    whole, part = (soundfile.read(DATA / "visec_sample" / "audio" / f"{name}.flac")[0] for name in ("02263", "00120"))
    assert np.array_equal(whole[2048:], part)


def test_ravdess_has_one_pair_two_sentences_and_telling_loudness(tmp_path: Path) -> None:
    rows = []
    for split in ("train", "valid", "test"):
        for line in (DATA / "ravdess" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["speaker_id"] in {
                "ravdess_01",
                "ravdess_02",
                "ravdess_05",
                "ravdess_07",
                "ravdess_12",
                "ravdess_21",
            }:
                rows.append(json.dumps(row))
    path = tmp_path / "actors.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    report = audit_splits({"actors": [ManifestSource(path=path, root=DATA / "ravdess")]})
    assert finding(report, "repeated-audio").pairs == (
        ("ravdess_03-01-03-01-02-01-07", "ravdess_03-01-03-01-02-02-07"),
    )
    assert "repeated-near-audio" not in {one.code for one in report.findings}  # 360 clips of two sentences
    assert str(finding(report, "few-sentences")) == "2 distinct sentences in 360 rows: the words tell little."
    loudness = finding(report, "predictive-loudness")
    assert loudness.score is not None
    assert loudness.score > 0.2


def test_words_and_voices_paired_by_label_do_not_leak() -> None:
    report = audit_splits(sources("paired_ravdess_vsmec", "train", "valid", "test"), decode_audio=False, probes=False)
    assert report.verdict == "clean"
