"""Under which changes a model is evaluated."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, get_args

import attrs

from vietmer_core.augment.band import Band
from vietmer_core.augment.codec import TELEPHONE_RATE, TelephoneCodec
from vietmer_core.augment.gain import Gain
from vietmer_core.augment.noise import AddedNoise, NoiseSource
from vietmer_core.augment.noise_colours import ColouredNoise
from vietmer_core.augment.noise_recordings import RecordedNoise
from vietmer_core.augment.operation import WaveformOperation
from vietmer_core.components import BOTH_MODALITIES, Modality
from vietmer_core.errors import AssemblyError
from vietmer_core.reliance.changes import Change, Removed, Rewritten, Sounded, Split, Swapped, computed
from vietmer_core.reliance.transcripts import TranscriptChange, WrongWords, without_diacritics, without_tones
from vietmer_core.spec_augmentation import Codec, Colour

GROUPS: Final = ("removed", "shuffled", "noise", "telephone", "gain", "words", "marks")
"""In the order in which they are evaluated; `shares` is one more that `--only` may name."""
GROUPS_OF: Final = {Modality.AUDIO: ("noise", "telephone", "gain"), Modality.TEXT: ("words", "marks")}
"""Groups that change one modality alone."""
SNR_DB: Final = (20.0, 10.0, 5.0, 0.0, -5.0)
GAINS_DB: Final = (-20.0, -10.0, 10.0)
WORD_ERROR_RATES: Final = (0.1, 0.2, 0.4)
CODECS: Final[dict[Codec, str]] = {
    "g711_mulaw": "G.711 µ-law, 8 kHz",
    "g711_alaw": "G.711 A-law, 8 kHz",
    "gsm": "GSM, 8 kHz",
}
BAND_HZ: Final = (300.0, 3400.0)
BAND_ORDER: Final = 4


@attrs.frozen(kw_only=True, eq=False)
class Condition:
    """One change of what the model reads or hears.

    Attributes:
        name: Its name in files.
        group: The group that `--only` names.
        title: For people.
        modality: The modality that is changed.
        change: Makes a draw of it.
        is_drawn: Whether draws differ, so that several are made.
        level: How much: dB, or the word error rate asked for; None where there is no such number.
    """

    name: str
    group: str
    title: str
    modality: Modality
    change: Change
    is_drawn: bool = False
    level: float | None = None


@attrs.frozen(kw_only=True)
class Levels:
    """What the curves are taken at.

    Attributes:
        snr_db: Ratios of signal to noise, dB.
        word_error_rates: Shares from 0 to 1.
        noise: `white`, `pink`, `brown`, or a folder of recordings.
    """

    snr_db: tuple[float, ...] = SNR_DB
    word_error_rates: tuple[float, ...] = WORD_ERROR_RATES
    noise: str = "pink"


def left_out(modalities: Collection[Modality]) -> dict[str, str]:
    """The groups that do not apply to a model that reads these modalities, each with the reason."""
    if set(modalities) == BOTH_MODALITIES:
        return {}
    (read,) = modalities
    (other,) = BOTH_MODALITIES - {read}
    alone = f"the model reads {read} alone, so there is nothing beside it"
    reasons = dict.fromkeys(("removed", "shuffled"), f"{alone} to lean on.")
    return reasons | dict.fromkeys(GROUPS_OF[other], f"the model reads no {other}: a change of it changes nothing.")


def conditions_of(groups: Sequence[str], *, levels: Levels, from_cache: bool) -> list[Condition]:
    """The conditions of some groups.

    Args:
        groups: Of `GROUPS`.
        levels: Of the curves.
        from_cache: Whether the audio is otherwise read from the feature cache: then it is once computed unchanged, too.

    Raises:
        AssemblyError: if the noise is neither a colour nor a folder of recordings.
    """
    made = {
        "removed": _removed,
        "shuffled": _shuffled,
        "noise": lambda: _noise(levels),
        "telephone": _telephone,
        "gain": _gain,
        "words": lambda: _words(levels),
        "marks": _marks,
    }
    conditions = [condition for group in GROUPS if group in groups for condition in made[group]()]
    first = next((place for place, found in enumerate(conditions) if found.group in GROUPS_OF[Modality.AUDIO]), None)
    if from_cache and first is not None:
        group = conditions[first].group
        title = "audio not from the cache"
        control = Condition(name="computed", group=group, title=title, modality=Modality.AUDIO, change=computed)
        conditions.insert(first, control)
    return conditions


def _removed() -> Iterator[Condition]:
    for kept, gone in ((Modality.TEXT, Modality.AUDIO), (Modality.AUDIO, Modality.TEXT)):
        change = Removed(modalities=frozenset({gone}))
        yield Condition(name=f"{kept}-only", group="removed", title=f"{kept} only", modality=gone, change=change)


def _shuffled() -> Iterator[Condition]:
    for within in (False, True):
        for modality in (Modality.TEXT, Modality.AUDIO):
            yield Condition(
                name=f"shuffled-{modality}{'-within-label' if within else ''}",
                group="shuffled",
                title=f"{modality} of another{', same label' if within else ''}",
                modality=modality,
                change=Swapped(modality=modality, within_label=within),
                is_drawn=True,
            )


def noise_source(noise: str, sampling_rate: int) -> NoiseSource:
    """Generated noise of a colour, or the recordings of a folder.

    Raises:
        DataError: if the folder holds no recording that can be read.
    """
    for colour in get_args(Colour):
        if noise == colour:
            return ColouredNoise(colour=colour, sampling_rate=sampling_rate)
    return RecordedNoise.in_folder(Path(noise), sampling_rate=sampling_rate)


def check_noise(noise: str) -> None:
    """Refuse what is neither a colour nor a folder of recordings, before anything is computed.

    Raises:
        AssemblyError: if it is no folder.
        DataError: if the folder holds no recording, or one that cannot be read.
    """
    colours = get_args(Colour)
    if noise in colours:
        return
    if not Path(noise).is_dir():
        raise AssemblyError(
            f"`--noise` must be {', '.join(f'`{colour}`' for colour in colours)} or a folder of recordings, but is "
            f"`{noise}` instead, which is no folder."
        )
    noise_source(noise, TELEPHONE_RATE)


def _noise(levels: Levels) -> Iterator[Condition]:
    check_noise(levels.noise)
    for snr_db in levels.snr_db:

        def operation(rate: int, *, snr_db: float = snr_db) -> WaveformOperation:
            return AddedNoise(snr_db=(snr_db, snr_db), sources=(noise_source(levels.noise, rate),))

        yield Condition(
            name=f"noise-{snr_db:g}",
            group="noise",
            title=f"noise, {snr_db:g} dB",
            modality=Modality.AUDIO,
            change=Sounded(stream="noise", operation=operation),
            level=snr_db,
        )


def _telephone() -> Iterator[Condition]:
    for codec, title in CODECS.items():

        def operation(rate: int, *, codec: Codec = codec) -> WaveformOperation:
            return TelephoneCodec(codecs=(codec,), sampling_rate=rate)

        yield _heard(codec, group="telephone", title=title, operation=operation)
    lowest, highest = BAND_HZ

    def band(rate: int) -> WaveformOperation:
        return Band.between(lowest, highest, order=BAND_ORDER, sampling_rate=rate)

    yield _heard("band", group="telephone", title=f"band {lowest:g}–{highest:g} Hz", operation=band)


def _gain() -> Iterator[Condition]:
    for gain_db in GAINS_DB:

        def operation(_: int, *, gain_db: float = gain_db) -> WaveformOperation:
            return Gain(gain_db=(gain_db, gain_db))

        condition = _heard(f"gain-{gain_db:g}", group="gain", title=f"gain {gain_db:+g} dB", operation=operation)
        yield attrs.evolve(condition, level=gain_db)


def _heard(name: str, *, group: str, title: str, operation: Callable[[int], WaveformOperation]) -> Condition:
    change = Sounded(stream=name, operation=operation)
    return Condition(name=name, group=group, title=title, modality=Modality.AUDIO, change=change)


def _words(levels: Levels) -> Iterator[Condition]:
    for rate in levels.word_error_rates:

        def rewrite(split: Split, *, rate: float = rate) -> TranscriptChange:
            return WrongWords(rate=rate, vocabulary=split.vocabulary, seed=split.seed)

        yield Condition(
            name=f"words-{100 * rate:g}",
            group="words",
            title=f"{100 * rate:g}% wrong words",
            modality=Modality.TEXT,
            change=Rewritten(rewrite=rewrite),
            is_drawn=True,
            level=rate,
        )


def _marks() -> Iterator[Condition]:
    changes: tuple[tuple[str, str, TranscriptChange], ...] = (
        ("tones", "without tone marks", without_tones),
        ("diacritics", "without any diacritics", without_diacritics),
    )
    for name, title, change in changes:

        def rewrite(_: Split, *, change: TranscriptChange = change) -> TranscriptChange:
            return change

        yield Condition(
            name=name, group="marks", title=title, modality=Modality.TEXT, change=Rewritten(rewrite=rewrite)
        )
