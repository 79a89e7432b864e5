"""Reading checkpoints: what transformers saved, and each fault with its sentence."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DebertaV2ForQuestionAnswering, DebertaV2ForSequenceClassification, DebertaV2Model
from vietmer_text_videberta.loading import load_encoder, load_frontend
from vietmer_text_videberta.plugin import LICENCES, TINY, VidebertaParams, register_components

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained import licences
from vietmer_core.pretrained.hub import hub_folder
from vietmer_core.pretrained.licences import LicenceWarning
from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.sequence import pad_rows

EncoderOf = Callable[..., TokenEncoder]
Saved = Callable[..., Path]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def params_at(folder: Path, **given: Any) -> VidebertaParams:
    return VidebertaParams.model_validate({"checkpoint": str(folder), "segmenter": "none", **given})


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
    "model_class", [None, DebertaV2Model, DebertaV2ForSequenceClassification, DebertaV2ForQuestionAnswering]
)
def test_every_weight_of_the_network_is_read(saved: Saved, pickled: bool, model_class: Any) -> None:
    """From a masked-language model, a bare network with its pooler, a classifier, one for questions."""
    folder = saved(pickled=pickled, model_class=model_class)
    encoder = load_encoder(params_at(folder))
    plain = DebertaV2Model.from_pretrained(folder).state_dict()
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
    (folder / "config.json").write_text(config.replace('"deberta-v2"', '"roberta"'), encoding="utf-8")
    for load in (load_encoder, load_frontend):
        with pytest.raises(CheckpointError, match="must be of architecture deberta-v2, but is roberta instead"):
            load(params_at(folder))


def test_a_folder_without_weights_is_refused(saved: Saved) -> None:
    folder = saved()
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no weights; one of model\.safetensors, .* must be there"):
        load_encoder(params_at(folder))


def test_a_folder_without_a_tokenizer_is_refused(saved: Saved) -> None:
    folder = saved()
    (folder / "tokenizer.json").unlink()
    for load in (load_encoder, load_frontend):
        with pytest.raises(
            CheckpointError, match=r"must hold the tokenizer's `tokenizer.json` or `spm.model`, but does"
        ):
            load(params_at(folder))


def test_missing_unexpected_and_misshapen_tensors_are_named(saved: Saved) -> None:
    folder = saved()
    state = load_file(folder / "model.safetensors")
    del state["deberta.encoder.layer.1.output.dense.bias"]
    state["deberta.encoder.layer.0.adapter.weight"] = torch.zeros(2)
    state["deberta.embeddings.LayerNorm.bias"] = torch.zeros(3)
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
    with pytest.raises(CheckpointError, match="must have at most the 89 ids that its network embeds, but has 90 inste"):
        load_encoder(params_at(saved(vocab_size=89)))
    load_encoder(params_at(saved("larger", vocab_size=91)))


def test_a_machine_that_does_not_reach_the_hub_is_told_what_to_do(hub: Path) -> None:
    assert not hub.exists()
    for load in (load_encoder, load_frontend):
        with pytest.raises(CheckpointError) as caught:
            load(VidebertaParams())
        assert "`Fsoft-AIC/videberta-base` is not on this machine" in str(caught.value)
        assert "`hf download Fsoft-AIC/videberta-base --local-dir videberta-base`" in str(caught.value)
        assert "`checkpoint: ./videberta-base`" in str(caught.value)


def test_weights_of_an_unknown_licence_say_so(hub: Path, saved: Saved) -> None:
    put_in_cache(hub, "Fsoft-AIC/videberta-base", saved())
    encoder = load_encoder(VidebertaParams(segmenter="none"))
    assert (encoder.backbone.record.licence, encoder.backbone.record.commit) == ("unknown", COMMIT)
    assert encoder.backbone.frozen_names() == {f"model.{name}" for name in encoder.backbone.model.state_dict()}


def test_binding_licences_of_other_checkpoints_are_named_once(hub: Path, saved: Saved) -> None:
    folder = saved()
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n", encoding="utf-8")
    assert not hub.exists()
    with pytest.warns(LicenceWarning, match=r"under CC-BY-NC-4\.0: they may not be used commercially"):
        load_encoder(params_at(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_encoder(params_at(folder))


@pytest.fixture
def published(saved: Saved) -> Path:
    """A folder as the authors of ViDeBERTa published theirs: pickled, in half precision, what the discriminator
    learned beside the generator's embeddings in `_weight`, positions that are not used, the discriminator's head."""
    folder = saved(pickled=True, model_class=DebertaV2Model)
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    state = {f"deberta.{name}": value for name, value in state.items()}
    table = state["deberta.embeddings.word_embeddings.weight"]
    state["deberta.embeddings.word_embeddings._weight"] = torch.randn_like(table)
    for name in ("weight", "_weight"):
        state[f"deberta.embeddings.position_embeddings.{name}"] = torch.randn(512, 8)
    for name, shape in (("dense.weight", (8, 8)), ("LayerNorm.bias", (8,)), ("classifier.weight", (1, 8))):
        state[f"mask_predictions.{name}"] = torch.randn(shape)
    torch.save({name: value.half() for name, value in state.items()}, folder / "pytorch_model.bin")
    return folder


def test_the_published_form_is_read(published: Path) -> None:
    model = load_encoder(params_at(published)).backbone.model
    state = torch.load(published / "pytorch_model.bin", weights_only=True)
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[f"deberta.{name}"].float())


def test_embeddings_that_lack_the_generators_part_are_refused(published: Path) -> None:
    """`_weight` alone is no table of embeddings; transformers would go on with random ones."""
    state = torch.load(published / "pytorch_model.bin", weights_only=True)
    del state["deberta.embeddings.word_embeddings.weight"]
    torch.save(state, published / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"they lack `embeddings\.word_embeddings\.weight`"):
        load_encoder(params_at(published))


def test_the_component_shows_the_licences() -> None:
    (component,) = register_components()
    assert component.weights_licence == "unknown"
    assert {**component.weights_licences, "Fsoft-AIC/videberta-base": "unknown"} == LICENCES


def test_state_comes_back(saved: Saved, encoder_of: EncoderOf) -> None:
    """The state of an encoder trained from random weights, in a build on a checkpoint."""
    trained, row = encoder_of(torch.float32, freeze=False), torch.tensor([[1], [5], [2]])
    other = load_encoder(params_at(saved(), freeze=False)).eval()
    assert not torch.equal(other(pad_rows([row])).features, trained(pad_rows([row])).features)
    other.load_state_dict(trained.state_dict(), strict=True)
    assert torch.equal(other(pad_rows([row])).features, trained(pad_rows([row])).features)


def test_the_tiny_checkpoint_holds_no_weights_and_is_small() -> None:
    assert {path.name for path in TINY.iterdir()} == {"config.json", "tokenizer.json"}
    assert sum(path.stat().st_size for path in TINY.iterdir()) < 8_192
