"""Weights are read strictly: every tensor of the model and no stranger, or a sentence that names them."""

import json
import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.checkpoints import Checkpoint, open_checkpoint
from vietmer_core.pretrained.loading import load_model, read_config
from vietmer_core.pretrained.params import PretrainedParams

MakeCheckpoint = Callable[..., Path]
POOLER = (r"^pooler\.",)


def opened(folder: Path, **params: Any) -> Checkpoint:
    return open_checkpoint(PretrainedParams(checkpoint=str(folder), **params), licences={})


def loaded(folder: Path, **options: Any) -> Any:
    return load_model(BertModel, opened(folder), **{"changes": {}, "may_miss": POOLER, **options})


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_every_tensor_is_read_in_float32(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    rewrite(folder, lambda tensors: tensors.update({name: value.half() for name, value in tensors.items()}))
    model = loaded(folder)
    saved = load_file(folder / "model.safetensors")
    state = model.state_dict()
    assert all(value.dtype == torch.float32 for value in model.parameters())
    assert all(torch.equal(state[name], value.float()) for name, value in saved.items())
    assert model.names_not_in_checkpoint == {"pooler.dense.weight", "pooler.dense.bias"}


def test_the_configuration_can_be_changed(make_checkpoint: MakeCheckpoint) -> None:
    model = loaded(make_checkpoint(), changes={"num_hidden_layers": 1}, may_have=[r"^encoder\.layer\.[12]\."])
    assert len(model.encoder.layer) == 1


def test_missing_unexpected_and_misshapen_tensors_are_named(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()

    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["encoder.layer.1.output.dense.bias"]
        tensors["stranger.weight"] = torch.zeros(2)
        tensors["embeddings.LayerNorm.weight"] = torch.zeros(5)

    rewrite(folder, change)
    with pytest.raises(CheckpointError) as caught:
        loaded(folder)
    message = str(caught.value)
    assert "they lack `encoder.layer.1.output.dense.bias`" in message
    assert "hold, beside the model's, `stranger.weight`" in message
    assert "hold in another shape `embeddings.LayerNorm.weight`" in message
    assert "\n" not in message


def test_names_can_be_mapped(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    rewrite(folder, lambda tensors: tensors.update(old=tensors.pop("embeddings.LayerNorm.weight") + 1))
    model = loaded(folder, key_mapping={r"^old$": "embeddings.LayerNorm.weight"})
    assert torch.equal(model.embeddings.LayerNorm.weight, torch.full((8,), 2.0))


def test_low_rank_updates_beside_the_weights_are_refused(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else"}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"must hold the weights of the whole network, but has low-rank updates"):
        loaded(folder)


def test_random_weights_follow_the_seed_and_read_no_file(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    (folder / "model.safetensors").write_bytes(b"nothing")
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model = load_model(BertModel, opened(folder, weights="random"), changes={})
        made.append(model.embeddings.word_embeddings.weight)
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


@pytest.mark.parametrize("content", [b"", b"not tensors at all", b"\xff" * 100])
def test_damaged_weights_are_one_sentence(make_checkpoint: MakeCheckpoint, content: bytes) -> None:
    folder = make_checkpoint()
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
        loaded(folder)


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_pickled_weights_are_read_without_running_anything(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    folder = make_checkpoint()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    state = loaded(folder).state_dict()
    assert all(torch.equal(state[name], value) for name, value in tensors.items())

    target = tmp_path / "made_by_a_pickle"
    pickle.loads(pickle.dumps(Payload(target)))  # noqa: S301  # the counter-example: a plain unpickler runs it
    assert target.is_dir()
    target.rmdir()
    torch.save({**tensors, "extra": Payload(target)}, folder / "pytorch_model.bin")
    with pytest.raises(
        CheckpointError, match=r"cannot be read: it holds other objects.*Only tensors are unp"
    ) as caught:
        loaded(folder)
    assert str(caught.value).isprintable()  # torch writes of it in bold
    assert not target.exists()


def test_another_architecture_is_refused(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    assert read_config(opened(folder), model_types=["bert"])["hidden_size"] == 8
    with pytest.raises(CheckpointError, match="must be of architecture whisper, but is bert instead"):
        read_config(opened(folder), model_types=["whisper"])
    (folder / "config.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(CheckpointError, match="but is of none that it names instead"):
        read_config(opened(folder), model_types=["bert"])
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json: cannot be read"):
        read_config(opened(folder), model_types=["bert"])


def test_a_configuration_of_nonsense_is_one_sentence(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": "many"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"its `config\.json` cannot be used") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", ["pretrained", "random"])
@pytest.mark.parametrize("change", [{"hidden_act": "no such one"}, {"num_attention_heads": 3}])
def test_a_configuration_of_no_network_is_blamed_rather_than_the_weights(
    make_checkpoint: MakeCheckpoint, change: dict[str, Any], weights: str
) -> None:
    folder = make_checkpoint()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **change}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"its `config\.json` describes no BertModel \(") as caught:
        load_model(BertModel, opened(folder, weights=weights), changes={}, may_miss=POOLER)
    assert "cannot be read" not in str(caught.value)


def test_nothing_is_printed_and_no_warning_stays(
    make_checkpoint: MakeCheckpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_checkpoint()
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded(folder)
    assert capfd.readouterr().err == ""
