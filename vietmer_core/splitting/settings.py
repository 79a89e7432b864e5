"""`SplitSettings`: what a split is asked to be. Torch-free."""

import math
import re
from typing import Final, Literal, get_args

import attrs

from vietmer_core.data.utterance import REQUIRED_FIELDS
from vietmer_core.errors import AssemblyError

Protocol = Literal["holdout", "kfold", "loso", "loco", "leave-one-out"]
UnknownSpeakers = Literal["refuse", "own", "train"]

PROTOCOLS: Final[tuple[str, ...]] = get_args(Protocol)
UNKNOWN_SPEAKERS: Final[tuple[str, ...]] = get_args(UnknownSpeakers)

SPEAKER: Final = "speaker"
RECORDING: Final = "recording"
TRANSCRIPT: Final = "transcript"
CONTENT: Final = "content"
CRITERIA: Final = (SPEAKER, RECORDING, TRANSCRIPT, CONTENT)
"""What rows may share, besides the value of a metadata field."""

SPLITS: Final = ("train", "valid", "test")

_SUM_TOLERANCE: Final = 1e-6
_HELD_OUT: Final = {"loso": SPEAKER, "loco": "corpus"}


@attrs.frozen(kw_only=True)
class KeyPattern:
    """Rows of which a field begins alike belong together, for a corpus that names its sources in ids alone.

    Attributes:
        field: A field of the manifest that holds strings, such as `utterance_id`.
        pattern: Regular expression; its first group (the whole match where it has none) is what rows share. A value
            in which it is not found stands for itself.
    """

    field: str
    pattern: re.Pattern[str]

    def key(self, value: str) -> str:
        """What the rows with this value share."""
        match = self.pattern.search(value)
        if match is None:
            return value
        found: str | None = match.group(1 if self.pattern.groups else 0)
        return value if found is None else found

    def __str__(self) -> str:
        return f"{self.field}={self.pattern.pattern}"


@attrs.frozen(kw_only=True)
class SplitSettings:
    """What a split is asked to be.

    Attributes:
        protocol: `holdout` gives one train, valid and test; the others give folds.
        shares: Of `holdout`: the shares of train, valid and test; of two numbers there is no test.
        num_folds: Of `kfold`.
        by: Of `leave-one-out`: the field each value of which is left out once, such as `session`.
        valid_share: In a fold, the share of validation in what is not test.
        max_folds: More folds than these are refused, since each holds every row.
        disjoint: What no two splits may share: names of `CRITERIA` and of metadata fields.
        patterns: Further sharing, read out of a field.
        unknown_speakers: What becomes of rows without a known speaker: refused, each taken for a speaker of its own, or
            used to train alone.
        unknown_ids: Speaker ids that mean that the speaker is unknown, besides null.
        balance: Metadata fields whose values are spread like the labels.
        seed: Of everything that is drawn.

    Raises:
        AssemblyError: where they cannot be met together.
    """

    protocol: Protocol = "holdout"
    shares: tuple[float, ...] = (0.7, 0.15, 0.15)
    num_folds: int = 5
    by: str | None = None
    valid_share: float = 0.15
    max_folds: int = 100
    disjoint: tuple[str, ...] = (SPEAKER, RECORDING)
    patterns: tuple[KeyPattern, ...] = ()
    unknown_speakers: UnknownSpeakers = "refuse"
    unknown_ids: frozenset[str] = frozenset()
    balance: tuple[str, ...] = ()
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.protocol == "holdout":
            _check_shares(self.shares)
        elif not 0 < self.valid_share < 1:
            raise AssemblyError(f"`--valid-share` must lie between 0 and 1, but is {self.valid_share:g} instead.")
        if self.num_folds < 2:
            raise AssemblyError(f"`--folds` must be 2 or more, but is {self.num_folds} instead.")
        if (self.by is None) == (self.protocol == "leave-one-out"):
            raise AssemblyError("`--by` names the field of the protocol `leave-one-out`: give both or neither.")
        if self.seed < 0:
            raise AssemblyError(f"`--seed` must be 0 or more, but is {self.seed} instead.")
        _check_names(self)

    @property
    def held_out(self) -> str | None:
        """The criterion each value of which is left out once; None for `holdout` and `kfold`."""
        return self.by or _HELD_OUT.get(self.protocol)

    @property
    def needs_speakers(self) -> bool:
        """Whether a row without a known speaker is in question."""
        return SPEAKER in self.disjoint or self.held_out == SPEAKER

    def option_of(self, field: str) -> str:
        """The option of `vietmer data split` that names a field."""
        if field in self.disjoint:
            return "--disjoint"
        if field in self.balance:
            return "--balance"
        return "--by" if field == self.by else f"--protocol {self.protocol}"

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits of a fold."""
        return SPLITS[: len(self.shares)] if self.protocol == "holdout" else SPLITS

    @property
    def fields(self) -> tuple[str, ...]:
        """The metadata fields that are read, each once."""
        named = (*self.disjoint, *self.balance, *([self.held_out] if self.held_out else []))
        return tuple(dict.fromkeys(name for name in named if name not in CRITERIA))


def _check_shares(shares: tuple[float, ...]) -> None:
    if len(shares) not in (2, 3):
        raise AssemblyError(f"`--shares` must be those of train, valid and test, but are {len(shares)} numbers.")
    if not all(math.isfinite(share) and share > 0 for share in shares):
        raise AssemblyError("`--shares` must all be above 0. Give two numbers, of train and valid, for no test split.")
    if abs(math.fsum(shares) - 1) > _SUM_TOLERANCE:
        raise AssemblyError(f"`--shares` must sum to 1, but sum to {math.fsum(shares):g}.")


def _check_names(settings: SplitSettings) -> None:
    for option, names in (("--disjoint", settings.disjoint), ("--balance", settings.balance)):
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise AssemblyError(f"`{option}` names `{repeated}` twice. Name it once.")
    for name in settings.fields:
        if name in REQUIRED_FIELDS:
            known = ", ".join(f"`{criterion}`" for criterion in CRITERIA)
            raise AssemblyError(
                f"`{settings.option_of(name)}` names `{name}`, which is no metadata field. Name {known} or a field of "
                "metadata."
            )
    if set(settings.balance) & set(CRITERIA):
        raise AssemblyError("`--balance` names metadata fields, such as `gender`; what is disjoint cannot be balanced.")
