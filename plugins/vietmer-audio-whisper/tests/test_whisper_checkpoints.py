import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    WhisperConfig,
    WhisperForAudioClassification,
    WhisperForConditionalGeneration,
    WhisperModel,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder
from vietmer_audio_whisper.encoder import WhisperAudioEncoder
from vietmer_audio_whisper.factory import make_encoder, make_frontend
from vietmer_audio_whisper.frontend import WhisperFrontend
from vietmer_audio_whisper.params import WhisperParams

from vietmer_core.errors import AssemblyError, CheckpointError
from vietmer_core.sequence import pad_rows

WhisperOf = Callable[[dict[str, Any]], tuple[WhisperFrontend, WhisperAudioEncoder]]
WINDOW = {"window_seconds": 1.0, "overlap_seconds": 0.1}


@pytest.fixture
def saved(one_second: str, tmp_path: Path) -> Path:
    """A tiny checkpoint with weights, as transformers saves a whole Whisper."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = WhisperForConditionalGeneration(WhisperConfig.from_pretrained(one_second))
    folder = tmp_path / "saved"
    model.save_pretrained(folder)
    shutil.copy(Path(one_second) / "preprocessor_config.json", folder)
    return folder


def params_of(folder: Path, **fields: Any) -> WhisperParams:
    return WhisperParams.model_validate({"checkpoint": str(folder), **WINDOW, **fields})


def change(folder: Path, name: str, **values: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def output_of(folder: Path, **fields: Any) -> torch.Tensor:
    mels = torch.randn(70, 8, generator=torch.Generator().manual_seed(0))
    features: torch.Tensor = make_encoder(params_of(folder, **fields)).eval()(pad_rows([mels])).features
    return features


@pytest.mark.parametrize("way", ["encoder alone", "without head", "pickled", "classifier"])
def test_every_way_of_saving_loads_the_same_encoder(saved: Path, tmp_path: Path, way: str) -> None:
    whole = WhisperForConditionalGeneration.from_pretrained(saved)
    other = tmp_path / "other"
    match way:
        case "encoder alone":
            whole.model.encoder.save_pretrained(other)
        case "without head":
            whole.model.save_pretrained(other)
        case "pickled":
            shutil.copytree(saved, other)
            (other / "model.safetensors").unlink()
            torch.save(whole.state_dict(), other / "pytorch_model.bin")
        case _:
            classifier = WhisperForAudioClassification(whole.config)
            classifier.encoder.load_state_dict(whole.model.encoder.state_dict())
            classifier.save_pretrained(other)
    for layers in ("last", 1):
        assert torch.equal(output_of(other, layers=layers), output_of(saved, layers=layers))


def test_the_weights_are_those_of_the_files(saved: Path) -> None:
    reference = WhisperModel.from_pretrained(saved).encoder.state_dict()
    found = make_encoder(params_of(saved)).backbone.model.state_dict()
    assert found.keys() == reference.keys()
    assert all(torch.equal(found[name], value) for name, value in reference.items())
    assert not torch.equal(output_of(saved), output_of(saved, weights="random"))


def test_half_precision_files_are_computed_in_float32(real_whisper: str) -> None:
    encoder = make_encoder(WhisperParams(checkpoint=real_whisper))
    assert load_file(Path(real_whisper) / "model.safetensors")["model.encoder.conv1.weight"].dtype == torch.float16
    assert {value.dtype for value in encoder.parameters()} == {torch.float32}
    record = encoder.backbone.record
    assert record.weights == "pretrained"
    assert len(record.files["model.safetensors"]) == 64


def test_a_training_state_returns(saved: Path) -> None:
    first = make_encoder(params_of(saved, train_layers=1, layers="weighted_sum"))
    with torch.no_grad():
        for value in first.parameters():
            if value.requires_grad:
                value.add_(0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(0)))
    kept = {
        name: value
        for name, value in first.state_dict().items()
        if name.removeprefix("backbone.") not in first.backbone.frozen_names()
    }
    assert len(kept) == 15 + 2 + 1
    second = make_encoder(params_of(saved, train_layers=1, layers="weighted_sum"))
    second.load_state_dict(kept, strict=False)
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


def test_a_processor_saved_as_one_file_is_read(saved: Path) -> None:
    before = make_frontend(params_of(saved))
    figures = json.loads((saved / "preprocessor_config.json").read_text())
    (saved / "preprocessor_config.json").unlink()
    (saved / "processor_config.json").write_text(json.dumps({"feature_extractor": figures}))
    assert make_frontend(params_of(saved)) == before == WhisperFrontend(num_mels=8, window_samples=16_000)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("sampling_rate", 8_000, r"must be 16000, the rate that Whisper hears, Hz, but is 8000 instead"),
        ("hop_length", 320, "must be 160, Whisper's, but is 320 instead"),
        ("n_fft", 512, "must be 400, Whisper's, but is 512 instead"),
        ("feature_size", 80, "must be 8, the `num_mel_bins` of its `config.json`, but is 80 instead"),
        ("chunk_length", 30, "must be 1, the seconds of the `max_source_positions`"),
        ("dither", 0.1, "must be 0, since noise would give an utterance other features each time"),
    ],
)
def test_other_figures_are_refused(saved: Path, field: str, value: float, sentence: str) -> None:
    change(saved, "preprocessor_config.json", **{field: value})
    with pytest.raises(CheckpointError, match=f"`{field}` in its `preprocessor_config.json` {sentence}"):
        make_frontend(params_of(saved))


@pytest.mark.parametrize(("text", "sentence"), [("{", "cannot be read"), ("[1]", "must hold the figures")])
def test_a_damaged_file_of_figures_is_named(saved: Path, text: str, sentence: str) -> None:
    (saved / "preprocessor_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=rf"preprocessor_config\.json: {sentence}"):
        make_frontend(params_of(saved))


def test_absent_figures_are_asked_for(saved: Path) -> None:
    (saved / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no `preprocessor_config\.json`.* Copy that file"):
        make_frontend(params_of(saved))


def test_another_architecture_is_refused(saved: Path) -> None:
    change(saved, "config.json", model_type="wav2vec2")
    for make in (make_frontend, make_encoder):
        with pytest.raises(CheckpointError, match="must be of architecture whisper, but is wav2vec2 instead"):
            make(params_of(saved))


def test_a_folder_without_weights_is_refused(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="has no weights"):
        make_encoder(params_of(saved))
    assert make_frontend(params_of(saved)).num_mels == 8


@pytest.mark.parametrize("fault", ["missing", "unexpected", "shape"])
def test_weights_that_do_not_fit_are_named(saved: Path, fault: str) -> None:
    tensors = load_file(saved / "model.safetensors")
    name = "model.encoder.layers.1.fc1.weight"
    match fault:
        case "missing":
            del tensors[name]
        case "unexpected":
            tensors["model.encoder.layers.7.fc1.weight"] = torch.zeros(1)
        case _:
            tensors[name] = torch.zeros(3, 4)
    save_file(tensors, saved / "model.safetensors", metadata={"format": "pt"})
    named = {"missing": "lack `layers.1.fc1.weight`", "unexpected": "`layers.7.fc1.weight`", "shape": "another shape"}
    with pytest.raises(CheckpointError, match=named[fault]):
        make_encoder(params_of(saved))


def test_other_mels_than_the_weights_have_are_named(saved: Path) -> None:
    change(saved, "config.json", num_mel_bins=128)
    with pytest.raises(CheckpointError, match=r"another shape .*conv1\.weight"):
        make_encoder(params_of(saved))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"window_seconds": 2.0}, "`window_seconds` must be at most 1, what checkpoint .* but is 2 instead"),
        ({"window_seconds": 0.5, "pad_to_30s": True}, "`window_seconds` must be 1, with `pad_to_30s`, what checkpoint"),
    ],
)
def test_a_window_that_does_not_fit_the_positions_is_refused(
    saved: Path, fields: dict[str, Any], sentence: str
) -> None:
    for make in (make_frontend, make_encoder):
        with pytest.raises(AssemblyError, match=sentence):
            make(params_of(saved, **fields))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"layers": 3}, "`layers` must be a layer's number from 0 to 2"),
        ({"train_layers": 3}, "`train_layers` must be at most 2"),
        ({"lora": {"target_modules": ["query"]}}, r"`lora.target_modules` must be names of linear layers \(.*q_proj"),
    ],
)
def test_layers_that_are_not_there_are_refused(saved: Path, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make_encoder(params_of(saved, **fields))


def test_the_decoder_is_not_built(real_whisper: str) -> None:
    encoder = make_encoder(WhisperParams(checkpoint=real_whisper, layers=1))
    assert isinstance(encoder.backbone.model, WhisperEncoder)
    assert sum(value.numel() for value in encoder.parameters()) < 2_920_000  # of 37.7 million
