"""`Finding`: one thing that an audit found, with a stable code. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import attrs

Severity = Literal["leak", "cue", "note"]

AUDIT_CODES: Final[Mapping[str, tuple[Severity, str]]] = MappingProxyType(
    {
        "shared-utterance": ("leak", "an utterance id stands in two splits"),
        "shared-speaker": ("leak", "a speaker stands in two splits"),
        "shared-recording": ("leak", "a recording, or a call, stands in two splits, as the manifest says"),
        "shared-source": ("leak", "clips of two splits come from one source, as their names say: an inference"),
        "shared-audio": ("leak", "two splits hold the same samples"),
        "shared-near-audio": ("leak", "two splits hold nearly the same audio: a copy changed in gain, rate or coding"),
        "shared-transcript": ("leak", "two splits hold the same sentence, and what it says goes with a label"),
        "shared-near-transcript": ("leak", "two splits hold nearly the same sentence, with the same label"),
        "shared-show": ("cue", "clips of two splits come from one show, as their names say: an inference"),
        "shared-phrase": ("cue", "two splits hold the same short or read sentence"),
        "few-sentences": ("cue", "the whole corpus speaks a few sentences, so words tell little"),
        "false-speaker": ("cue", "`speaker_id` is the name of the clip, so speakers are unknown"),
        "speaker-per-row": ("cue", "every row has a speaker of its own, so shared speakers cannot be found"),
        "one-label-speaker": ("cue", "nearly every speaker carries one label only, so the voice tells the label"),
        "one-label-source": ("cue", "nearly every source carries one label only, so the source tells the label"),
        "predictive-length": ("cue", "the duration or the number of words alone predicts the label"),
        "predictive-loudness": ("cue", "loudness alone predicts the label"),
        "predictive-silence": ("cue", "the share of silence alone predicts the label"),
        "predictive-channel": ("cue", "the noise floor and the bandwidth alone predict the label"),
        "predictive-corpus": ("cue", "the corpus alone predicts the label"),
        "predictive-metadata": ("cue", "another metadata field alone predicts the label"),
        "repeated-audio": ("note", "two rows of one split hold the same samples"),
        "repeated-near-audio": ("note", "two rows of one split hold nearly the same audio"),
        "repeated-transcript": ("note", "two rows of one split hold the same sentence"),
        "repeated-near-transcript": ("note", "two rows of one split hold nearly the same sentence"),
        "conflicting-labels": ("note", "rows with the same samples carry different labels"),
        "unknown-speaker": ("note", "rows have no speaker, or one that says unknown"),
        "class-imbalance": ("note", "the largest class has many times the rows of the smallest"),
        "missing-class": ("note", "a class of one split does not occur in another"),
        "clipped-audio": ("note", "a share of the samples stands at full scale"),
        "silent-audio": ("note", "every sample of a segment is equal; training refuses it"),
        "truncated-speech": ("note", "speech is loud up to the end of the segment, or from its start"),
        "undecodable-audio": ("note", "audio cannot be decoded, so it was not compared"),
        "audio-not-compared": ("note", "no audio was decoded, so copies of audio were not looked for"),
    }
)
"""Every code with its severity and what it means. A code never changes its meaning."""

MAX_EXAMPLES: Final = 5
"""Examples that a finding carries."""


@attrs.frozen(kw_only=True)
class Example:
    """One row of a finding.

    Attributes:
        utterance_id: Of the row.
        place: `file:line`.
        split: Of the row.
    """

    utterance_id: str
    place: str
    split: str

    def __str__(self) -> str:
        return f"{self.utterance_id} ({self.place})"


@attrs.frozen(kw_only=True)
class Finding:
    """One thing found.

    Attributes:
        code: A key of `AUDIT_CODES`.
        sentence: What was found, one sentence.
        splits: The splits it lies in.
        count: How many rows, pairs or groups, as the sentence says.
        total: Of how many.
        examples: The first rows; those of one tuple belong together, such as a pair of copies.
        rule: By which rule or threshold.
        score: What a probe reached; None where there is none.
        pairs: Every pair of copies, as two utterance ids; empty where no pairs were looked for.
    """

    code: str
    sentence: str
    splits: tuple[str, ...]
    count: int
    total: int
    examples: tuple[tuple[Example, ...], ...] = ()
    rule: str = ""
    score: float | None = None
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def severity(self) -> Severity:
        """Whether it fails the audit, is a cue for a model, or is to be known."""
        return AUDIT_CODES[self.code][0]

    def __str__(self) -> str:
        return self.sentence

    def as_json(self) -> dict[str, Any]:
        """The finding as plain JSON values."""
        return {
            "code": self.code,
            "severity": self.severity,
            "sentence": self.sentence,
            "splits": list(self.splits),
            "count": self.count,
            "total": self.total,
            "rule": self.rule or None,
            "score": self.score,
            "examples": [[attrs.asdict(row) for row in rows] for rows in self.examples],
            "pairs": [list(pair) for pair in self.pairs],
        }
