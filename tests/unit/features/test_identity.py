"""What decides the states of an encoder, and the key of an utterance."""

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import soundfile
import torch

from vietmer_core.assembly import build_frontends, build_model
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Modality
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError
from vietmer_core.features.identity import space_identity, utterance_key
from vietmer_core.pretrained.weights import READ_FILES
from vietmer_core.shapes import PassRows
from vietmer_core.spec import ExperimentSpec

ROWS = PassRows(frames=1, tokens=1, most=1)
WHISPER = dict(installed_catalogue().component("audio", "whisper").tiny)  # type: ignore[arg-type]  # a StrEnum's value


@pytest.fixture
def utterance(tmp_path: Path) -> Utterance:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, 1600, dtype=np.float32), 16_000)
    return Utterance(
        utterance_id="a", speaker_id="s", wav_path=str(path), start=0.0, end=0.1, transcript="dạ vâng", label="angry"
    )


def key(utterance: Utterance, modality: Modality = Modality.AUDIO, channel: str | int = "mono") -> str:
    return utterance_key(utterance, modality, channel=channel)


def test_names_speakers_labels_and_folders_do_not_decide(utterance: Utterance, tmp_path: Path) -> None:
    assert utterance.wav_path is not None
    copy = tmp_path / "b" / "other.wav"
    copy.parent.mkdir()
    copy.write_bytes(Path(utterance.wav_path).read_bytes())
    other = attrs.evolve(utterance, utterance_id="b", speaker_id=None, label=None, wav_path=str(copy), place="x:3")
    for modality in Modality:
        assert key(other, modality) == key(utterance, modality)
        assert len(key(utterance, modality)) == 64


@pytest.mark.parametrize("change", [{"start": 0.01}, {"end": 0.09}, {"end": None}])
def test_the_span_decides(utterance: Utterance, change: dict[str, Any]) -> None:
    other = attrs.evolve(utterance, **change)
    assert key(other) != key(utterance)
    assert key(other, Modality.TEXT) == key(utterance, Modality.TEXT)


def test_the_bytes_the_channel_and_the_words_decide(utterance: Utterance) -> None:
    assert utterance.wav_path is not None
    before = key(utterance)
    assert key(utterance, channel=0) != before
    assert key(attrs.evolve(utterance, transcript="dạ, vâng"), Modality.TEXT) != key(utterance, Modality.TEXT)
    soundfile.write(utterance.wav_path, np.linspace(-0.4, 0.5, 1600, dtype=np.float32), 16_000)
    assert key(utterance) != before


@pytest.mark.parametrize("transcript", [None, "", "  "])
def test_an_absent_modality_has_no_key(utterance: Utterance, transcript: str | None) -> None:
    silent = attrs.evolve(utterance, wav_path=None, transcript=transcript)
    assert key(silent) == key(silent, Modality.TEXT) == ""


def test_a_recording_that_is_missing_is_named(utterance: Utterance) -> None:
    lost = attrs.evolve(utterance, wav_path="/nowhere/x.wav", place="m.jsonl:4")
    with pytest.raises(DataError, match=r"m\.jsonl:4: audio file `/nowhere/x\.wav` cannot be read"):
        key(lost)


def spec_of(seed: int = 0, **audio: Any) -> ExperimentSpec:
    catalogue = installed_catalogue()
    document = {
        "labels": ["a", "b"],
        "seed": seed,
        "data": {"train": "t.jsonl", "valid": "v.jsonl"},
        "audio": {"kind": "whisper", **WHISPER, **audio},
        "fusion": {"kind": "audio_only", "dim": 8},
        "pooler": "mean",
        "sampler": "uniform",
    }
    return ExperimentSpec.model_validate(document, context={"catalogue": catalogue})


def identity(spec: ExperimentSpec, *, rows: PassRows = ROWS) -> dict[str, Any]:
    catalogue = installed_catalogue()
    encoder = build_model(spec, catalogue).encoder(Modality.AUDIO)
    assert encoder is not None
    frontend = build_frontends(spec, catalogue).audio
    return space_identity(
        spec, catalogue, Modality.AUDIO, encoder, device=torch.device("cpu"), rows=rows, frontend=frontend
    )


def test_it_is_the_same_for_the_same_spec() -> None:
    assert identity(spec_of()) == identity(spec_of())


@pytest.mark.parametrize("change", [{"layers": 1}, {"pad_to_30s": True}, {"short": "pad"}, {"overlap_seconds": 1.0}])
def test_what_changes_states_changes_it(change: dict[str, Any]) -> None:
    window: dict[str, Any] = {"window_seconds": 30.0, "overlap_seconds": 2.0}
    assert identity(spec_of(**{**window, **change})) != identity(spec_of(**window))


@pytest.mark.parametrize("audio", [{"normalise_layers": True}])
def test_what_acts_behind_the_states_does_not(audio: dict[str, Any]) -> None:
    assert identity(spec_of(**audio)) == identity(spec_of())


def test_random_weights_of_another_seed_change_it() -> None:
    assert identity(spec_of(seed=1))["random_weights"] != identity(spec_of())["random_weights"]


def test_rows_and_threads_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(spec_of())
    assert identity(spec_of(), rows=PassRows(frames=64, tokens=1, most=4)) != before
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert identity(spec_of()) != before


def test_the_instructions_of_the_processor_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(spec_of())
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "none")
    assert identity(spec_of()) != before
    monkeypatch.undo()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert identity(spec_of()) != before


def test_what_is_learned_behind_the_states_does_not_change_it() -> None:
    spec = spec_of(layers="weighted_sum")
    catalogue = installed_catalogue()
    encoder: Any = build_model(spec, catalogue).encoder(Modality.AUDIO)

    def found() -> dict[str, Any]:
        cpu = torch.device("cpu")
        return space_identity(spec, catalogue, Modality.AUDIO, encoder, device=cpu, rows=ROWS, frontend=None)

    before = found()
    with torch.no_grad():
        encoder.mix.weights += 1.0
    assert found() == before
    with torch.no_grad():
        next(encoder.backbone.parameters()).add_(1.0)
    assert found() != before


@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json", "tokenizer.json"])
def test_every_file_that_a_frontend_reads_is_in_the_record(name: str) -> None:
    assert name in READ_FILES
