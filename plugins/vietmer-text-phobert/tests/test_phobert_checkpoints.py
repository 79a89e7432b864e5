"""Reading checkpoints: what transformers saved, and each fault with its sentence."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import RobertaForQuestionAnswering, RobertaForSequenceClassification, RobertaModel
from vietmer_text_phobert.loading import load_encoder, load_frontend
from vietmer_text_phobert.plugin import LICENCES, TINY, PhobertParams, register_components

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained import licences
from vietmer_core.pretrained.hub import hub_folder
from vietmer_core.pretrained.licences import LicenceWarning
from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.sequence import pad_rows

EncoderOf = Callable[..., TokenEncoder]
Saved = Callable[..., Path]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def params_at(folder: Path, **given: Any) -> PhobertParams:
    return PhobertParams.model_validate({"checkpoint": str(folder), "segmenter": "none", **given})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, on a machine that does not reach it."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(licences, "_WARNED", set())
    hub_folder.cache_clear()
    return tmp_path / "hub"


def put_in_cache(hub: Path, checkpoint: str, folder: Path) -> None:
    entry = hub / f"models--{checkpoint.replace('/', '--')}"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text(COMMIT)
    (entry / "snapshots").mkdir()
    folder.rename(entry / "snapshots" / COMMIT)


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize(
    "model_class", [None, RobertaModel, RobertaForSequenceClassification, RobertaForQuestionAnswering]
)
def test_every_weight_of_the_network_is_read(saved: Saved, pickled: bool, model_class: Any) -> None:
    """From a masked-language model, a bare network with its pooler, a classifier, one for questions."""
    folder = saved(pickled=pickled, model_class=model_class)
    encoder = load_encoder(params_at(folder))
    plain = RobertaModel.from_pretrained(folder, add_pooling_layer=False).state_dict()
    found = encoder.backbone.model.state_dict()
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], plain[name]) for name in plain)
    assert list(encoder.backbone.record.files)[-1] == ("pytorch_model.bin" if pickled else "model.safetensors")


def test_random_weights_are_other_ones(saved: Saved) -> None:
    folder = saved()
    table = "embeddings.word_embeddings.weight"
    real, other = (
        load_encoder(params_at(folder, weights=weights)).backbone.model.state_dict()[table]
        for weights in ("pretrained", "random")
    )
    assert not torch.equal(real, other)


def test_half_precision_is_read_as_float32(saved: Saved) -> None:
    folder = saved(pickled=True)
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save({name: value.half() for name, value in state.items()}, folder / "pytorch_model.bin")
    encoder = load_encoder(params_at(folder))
    assert {value.dtype for value in encoder.parameters()} == {torch.float32}


def test_a_checkpoint_of_another_architecture_is_refused(saved: Saved) -> None:
    folder = saved()
    config = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(config.replace('"roberta"', '"deberta-v2"'), encoding="utf-8")
    for load in (load_encoder, load_frontend):
        with pytest.raises(CheckpointError, match="must be of architecture roberta, but is deberta-v2 instead"):
            load(params_at(folder))


def test_a_folder_without_weights_is_refused(saved: Saved) -> None:
    folder = saved()
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no weights; one of model\.safetensors, .* must be there"):
        load_encoder(params_at(folder))


@pytest.mark.parametrize("file", ["vocab.txt", "bpe.codes"])
def test_a_folder_without_a_tokenizer_is_refused(saved: Saved, file: str) -> None:
    folder = saved()
    (folder / file).unlink()
    for load in (load_encoder, load_frontend):
        with pytest.raises(CheckpointError, match=r"must hold the tokenizer's `vocab.txt` and `bpe.codes`, but does n"):
            load(params_at(folder))


def test_missing_unexpected_and_misshapen_tensors_are_named(saved: Saved) -> None:
    folder = saved()
    state = load_file(folder / "model.safetensors")
    del state["roberta.encoder.layer.1.output.dense.bias"]
    state["roberta.encoder.layer.0.adapter.weight"] = torch.zeros(2)
    state["roberta.embeddings.LayerNorm.bias"] = torch.zeros(3)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError) as caught:
        load_encoder(params_at(folder))
    for told in (
        "lack `encoder.layer.1.output.dense.bias`",
        "layer.0.adapter.weight`",
        "in another shape `embeddings.LayerNorm.bias`",
    ):
        assert told in str(caught.value)


def test_layers_above_the_one_that_is_read_are_left_out(saved: Saved) -> None:
    encoder = load_encoder(params_at(saved(), layers=1))
    assert len(encoder.backbone.model.state_dict()) < len(load_encoder(params_at(saved())).backbone.model.state_dict())
    assert not any("layer.1." in name for name in encoder.state_dict())


def test_more_layers_in_the_files_than_in_the_configuration_are_named(saved: Saved) -> None:
    folder = saved()
    config = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(
        config.replace('"num_hidden_layers": 2', '"num_hidden_layers": 1'), encoding="utf-8"
    )
    with pytest.raises(CheckpointError, match=r"beside the model's, .*layer.1.*and 13 more"):
        load_encoder(params_at(folder))


def test_a_layer_that_is_not_there_is_refused(encoder_of: EncoderOf) -> None:
    with pytest.raises(ValueError, match=r"must be a layer's number from 0 to 2, .* but is 3 instead"):
        encoder_of(layers=3)


def test_a_tokenizer_with_more_ids_than_the_network_embeds_is_refused(saved: Saved) -> None:
    with pytest.raises(CheckpointError, match="must have at most the 90 ids that its network embeds, but has 91 inste"):
        load_encoder(params_at(saved(vocab_size=90)))
    load_encoder(params_at(saved("larger", vocab_size=92)))


def test_a_machine_that_does_not_reach_the_hub_is_told_what_to_do(hub: Path) -> None:
    assert not hub.exists()
    for load in (load_encoder, load_frontend):
        with pytest.raises(CheckpointError) as caught:
            load(PhobertParams())
        assert "`vinai/phobert-base` is not on this machine" in str(caught.value)
        assert "`hf download vinai/phobert-base --local-dir phobert-base`" in str(caught.value)
        assert "`checkpoint: ./phobert-base`" in str(caught.value)


def test_agpl_weights_are_named_once(hub: Path, saved: Saved) -> None:
    put_in_cache(hub, "vinai/phobert-base-v2", saved())
    params = PhobertParams(checkpoint="vinai/phobert-base-v2", segmenter="none")
    with pytest.warns(LicenceWarning, match=r"`vinai/phobert-base-v2` are under AGPL-3\.0: who offers a service"):
        encoder = load_encoder(params)
    assert (encoder.backbone.record.licence, encoder.backbone.record.commit) == ("AGPL-3.0", COMMIT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_encoder(params)
        load_frontend(params)


def test_mit_weights_are_read_without_a_warning(hub: Path, saved: Saved) -> None:
    put_in_cache(hub, "vinai/phobert-base", saved())
    encoder = load_encoder(PhobertParams(segmenter="none"))
    assert encoder.backbone.record.licence == "MIT"
    assert encoder.backbone.frozen_names() == {f"model.{name}" for name in encoder.backbone.model.state_dict()}


def test_the_component_shows_the_licences() -> None:
    (component,) = register_components()
    assert component.weights_licence == "MIT"
    assert {**component.weights_licences, "vinai/phobert-base": "MIT"} == LICENCES


def test_state_comes_back(saved: Saved, encoder_of: EncoderOf) -> None:
    """The state of an encoder trained from random weights, in a build on a checkpoint."""
    trained, row = encoder_of(torch.float32, freeze=False), torch.tensor([[0], [5], [2]])
    other = load_encoder(params_at(saved(), freeze=False)).eval()
    assert not torch.equal(other(pad_rows([row])).features, trained(pad_rows([row])).features)
    other.load_state_dict(trained.state_dict(), strict=True)
    assert torch.equal(other(pad_rows([row])).features, trained(pad_rows([row])).features)


def test_the_tiny_checkpoint_holds_no_weights_and_is_small() -> None:
    assert {path.name for path in TINY.iterdir()} == {"config.json", "vocab.txt", "bpe.codes"}
    assert sum(path.stat().st_size for path in TINY.iterdir()) < 8_192
