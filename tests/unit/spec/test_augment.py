"""The section `augment`: what it may hold, and what is said where it is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from vietmer_core.catalogue import Catalogue
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_fields import CATALOGUE_KEY

Faults = Callable[..., list[str]]
Load = Callable[..., ExperimentSpec]

KINDS = "noise, codec, band, speed, gain"
ALL = """\
augment:
  modality_dropout: {text: 0.2, audio: 0.1}
  waveform:
    - {kind: noise, probability: 0.3, snr_db: [0, 20], folder: street}
    - {kind: noise, colours: [pink]}
    - {kind: codec, codecs: [gsm]}
    - {kind: band}
    - {kind: speed, factor: [0.8, 1]}
    - {kind: gain, gain_db: [-3, -3]}
"""


def said(faults: Faults, valid: str, override: str) -> list[str]:
    return [problem.removeprefix(f"--set {override}: ") for problem in faults(valid, overrides=(override,))]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{kind: nois}", f'0.kind: must be one of {KINDS}, but is "nois" instead. Did you mean `noise`?'),
        ("{kind: 3}", f"0.kind: must be one of {KINDS}, but is 3 instead."),
        ("{kind: [gain]}", f'0.kind: must be one of {KINDS}, but is ["gain"] instead.'),
        ("{gain_db: [1, 2]}", f"0.kind: is required: one of {KINDS}."),
        ("codec", '0: must be a mapping with a `kind`, but is "codec" instead.'),
        ("{kind: codec, snr_db: [1, 2]}", "0.snr_db: there is no such field; there are: codecs, kind, probability."),
        ("{kind: band, ordr: 2}", "0.ordr: there is no such field; did you mean `order`?"),
        ("{kind: noise, snr_db: 5}", "0.snr_db: must be a list of two numbers, [lowest, highest], but is 5 instead."),
        (
            "{kind: noise, snr_db: [5]}",
            "0.snr_db: must be a list of two numbers, [lowest, highest], but is [5] instead.",
        ),
        ("{kind: noise, snr_db: [20, 5]}", "0.snr_db: must hold the lower number first, but holds 20 before 5."),
        ("{kind: noise, snr_db: [5, much]}", '0.snr_db.1: must be a number, but is "much" instead.'),
        ("{kind: noise, snr_db: [5, true]}", "0.snr_db.1: must be a number, but is true instead."),
        ("{kind: noise, snr_db: [5, 500]}", "0.snr_db.1: must be at most 100, but is 500 instead."),
        ("{kind: noise, colours: []}", "0.colours: must have at least 1 entry, but has 0 entries instead."),
        ("{kind: noise, colours: [pink, pink]}", "0.colours.1: `pink` stands in the list already."),
        (
            "{kind: noise, colours: [blue]}",
            '0.colours.0: must be `white`, `pink` or `brown`, but is "blue" instead.',
        ),
        (
            "{kind: codec, codecs: [gsn]}",
            '0.codecs.0: must be `g711_mulaw`, `g711_alaw` or `gsm`, but is "gsn" instead. Did you mean `gsm`?',
        ),
        (
            "{kind: band, lowest_hz: 5000}",
            "0.lowest_hz: must lie below `highest_hz` (3400), but is 5000 instead.",
        ),
        ("{kind: band, order: 0}", "0.order: must be at least 1, but is 0 instead."),
        ("{kind: speed, factor: [0.1, 1]}", "0.factor.0: must be at least 0.5, but is 0.1 instead."),
        ("{kind: gain, probability: 1.5}", "0.probability: must be at most 1, but is 1.5 instead."),
        ("{kind: gain, probability: yes}", '0.probability: must be a number, but is "yes" instead.'),
    ],
)
def test_a_wrong_operation_is_told_with_its_place(faults: Faults, valid: str, entry: str, sentence: str) -> None:
    assert said(faults, valid, f"augment.waveform=[{entry}]") == [f"augment.waveform.{sentence}"]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("text=1.5", "modality_dropout.text: must be at most 1, but is 1.5 instead."),
        ("audio=-1", "modality_dropout.audio: must be at least 0, but is -1 instead."),
        ("txt=1", "modality_dropout.txt: there is no such field; did you mean `text`?"),
    ],
)
def test_wrong_shares_are_told(faults: Faults, valid: str, override: str, sentence: str) -> None:
    assert said(faults, valid, f"augment.modality_dropout.{override}") == [f"augment.{sentence}"]


@pytest.mark.parametrize(("text", "audio"), [(1, 1), (0.6, 0.5)])
def test_no_utterance_may_lose_both(faults: Faults, valid: str, text: float, audio: float) -> None:
    (sentence,) = said(faults, valid, f"augment.modality_dropout={{text: {text}, audio: {audio}}}")
    assert sentence == (
        "augment.modality_dropout: `text` and `audio` must be at most 1 together, since no utterance loses both "
        f"modalities, but are {text} and {audio} instead."
    )


@pytest.mark.parametrize("field", ["text", "audio"])
def test_a_fusion_of_one_modality_drops_none(faults: Faults, load: Load, valid: str, field: str) -> None:
    solo = valid.replace("{kind: join, dim: 16}", "solo")
    (sentence,) = said(faults, solo, f"augment.modality_dropout.{field}=0.25")
    assert sentence == (
        f"augment.modality_dropout.{field}: must be 0, since `fusion: solo` reads text alone, so that nothing would be "
        "left of an utterance, but is 0.25 instead."
    )
    assert load(solo, overrides=("augment.modality_dropout={text: 0, audio: 0}",)) == load(solo)


def test_everything_is_read_and_resolved_and_read_again(load: Load, valid: str, handmade: Catalogue) -> None:
    spec = load(valid + ALL)
    first, *others = spec.augment.waveform
    assert first.kind == "noise"
    assert first.folder == Path.cwd() / "street", "relative to the file that names it"
    assert [operation.kind for operation in others] == ["noise", "codec", "band", "speed", "gain"]
    again = json.loads(json.dumps(spec.resolved()))
    assert ExperimentSpec.model_validate(again, context={CATALOGUE_KEY: handmade}) == spec


def test_overrides_change_one_operation(load: Load, valid: str) -> None:
    spec = load(valid + ALL, overrides=("augment.waveform.0.snr_db=[1, 2]", "augment.waveform.0.folder=~/noise"))
    first = spec.augment.waveform[0]
    assert first.kind == "noise"
    assert first.snr_db == (1, 2)
    assert first.folder == Path.home() / "noise"
    assert len(spec.augment.waveform) == 6


def test_by_default_nothing_is_changed(load: Load, valid: str) -> None:
    augment = load(valid).augment
    assert not augment.waveform
    assert (augment.modality_dropout.text, augment.modality_dropout.audio) == (0, 0)
