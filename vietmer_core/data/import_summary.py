"""What an import gave, for people and as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class ManifestSummary:
    """One manifest that was written.

    Attributes:
        path: The file.
        num_rows: Its rows.
        labels: Rows of each label; rows without one are not in it.
        num_speakers: Speakers that are known.
        num_unknown_speakers: Rows whose speaker is not known.
        num_with_audio: Rows that have audio.
        num_with_text: Rows that have a transcript.
        seconds: Duration of all segments, s.
    """

    path: Path
    num_rows: int
    labels: Mapping[str, int]
    num_speakers: int
    num_unknown_speakers: int
    num_with_audio: int
    num_with_text: int
    seconds: float


@attrs.frozen(kw_only=True)
class ImportSummary:
    """All that an import gave.

    Attributes:
        manifests: Those written.
        skipped: Reason → rows of the corpus that were left out.
        notes: Remark → rows that it holds for.
        licence: Of the data.
    """

    manifests: Sequence[ManifestSummary]
    skipped: Mapping[str, int]
    notes: Mapping[str, int]
    licence: str

    def as_json(self) -> dict[str, Any]:
        """Plain values; `version` rises when a field changes its meaning."""
        manifests = [{**attrs.asdict(found), "path": str(found.path)} for found in self.manifests]
        given = {"skipped": dict(self.skipped), "notes": dict(self.notes), "licence": self.licence}
        return {"version": 1, "manifests": manifests, **given}

    def lines(self) -> Iterator[str]:
        """The same in sentences, one a line."""
        for found in self.manifests:
            speakers = counted(found.num_speakers, "known speaker")
            if found.num_unknown_speakers:
                speakers += f" ({counted(found.num_unknown_speakers, 'row')} of unknown ones)"
            hours = f"audio in {found.num_with_audio:,} ({found.seconds / 3600:.2f} h)"
            text = f"a transcript in {found.num_with_text:,}"
            yield f"{found.path}: {counted(found.num_rows, 'row')}, {hours}, {text}; {speakers}."
            counts = ", ".join(f"{label} {count:,}" for label, count in found.labels.items())
            unlabelled = found.num_rows - sum(found.labels.values())
            yield (
                f"  labels: {counts or 'none'}"
                + (f"; none in {counted(unlabelled, 'row')}" if unlabelled else "")
                + "."
            )
        for reason, count in self.skipped.items():
            yield f"left out: {count:,}: {reason}."
        for remark, count in self.notes.items():
            yield f"note: {count:,}: {remark}."
        yield f"licence of the data: {self.licence}."


def counted(number: int, thing: str) -> str:
    """A number of things, in words."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def summarise_manifest(path: Path, rows: Sequence[Mapping[str, Any]], seconds: Sequence[float]) -> ManifestSummary:
    """The summary of rows as they stand in a manifest, and the duration of the segment of each, s."""
    labels = Counter(row["emotion"] for row in rows if row["emotion"] is not None)
    return ManifestSummary(
        path=path,
        num_rows=len(rows),
        labels=dict(sorted(labels.items())),
        num_speakers=len({row["speaker_id"] for row in rows} - {None}),
        num_unknown_speakers=sum(row["speaker_id"] is None for row in rows),
        num_with_audio=sum(row["wav_path"] is not None for row in rows),
        num_with_text=sum(bool((row["transcript"] or "").strip()) for row in rows),
        seconds=sum(seconds),
    )
