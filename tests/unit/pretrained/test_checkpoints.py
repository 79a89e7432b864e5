"""Checkpoints in a folder: what must be there, and the record of it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.checkpoints import open_checkpoint
from vietmer_core.pretrained.licences import LicenceWarning
from vietmer_core.pretrained.params import PretrainedParams
from vietmer_core.pretrained.weights import missing_parts, weight_files

MakeCheckpoint = Callable[..., Path]


def test_the_record_names_the_files_by_their_content(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    checkpoint = open_checkpoint(PretrainedParams(checkpoint=str(folder)), licences={})
    read = ("config.json", "model.safetensors")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in read}
    assert checkpoint.folder == folder
    assert checkpoint.record.as_json() == {
        "checkpoint": str(folder),
        "revision": None,
        "commit": None,
        "weights": "pretrained",
        "licence": "MIT",
        "files": digests,
    }


def test_a_changed_file_is_hashed_again(make_checkpoint: MakeCheckpoint) -> None:
    params = PretrainedParams(checkpoint=str(make_checkpoint()))
    before = open_checkpoint(params, licences={}).record.files
    make_checkpoint(seed=1)
    assert open_checkpoint(params, licences={}).record.files != before


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "vocab.txt", "tokenizer.json"])
def test_a_file_that_decides_what_is_read_belongs_to_the_record(make_checkpoint: MakeCheckpoint, name: str) -> None:
    folder = make_checkpoint()
    params = PretrainedParams(checkpoint=str(folder))
    before = open_checkpoint(params, licences={}).record.files
    text = (folder / name).read_text(encoding="utf-8") if (folder / name).is_file() else "{}"
    (folder / name).write_text(f"{text}\n", encoding="utf-8")
    (folder / "README.md").write_text("another card", encoding="utf-8")
    found = open_checkpoint(params, licences={}).record.files
    assert [file for file in found if found[file] != before.get(file)] == [name]


def test_binding_weights_are_warned_of(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    params = PretrainedParams(checkpoint=str(folder))
    with pytest.warns(LicenceWarning, match="AGPL-3.0"):
        open_checkpoint(params, licences={str(folder): "AGPL-3.0"})


def test_random_weights_need_no_file_of_weights_and_have_no_licence(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    (folder / "model.safetensors").unlink()
    params = PretrainedParams(checkpoint=str(folder), weights="random")
    record = open_checkpoint(params, licences={str(folder): "AGPL-3.0"}).record  # a warning would be an error here
    assert (record.weights, record.licence, list(record.files)) == ("random", "none", ["config.json"])
    with pytest.raises(CheckpointError, match=r"has no weights; one of model\.safetensors"):
        open_checkpoint(PretrainedParams(checkpoint=str(folder)), licences={})


def test_what_is_not_there_is_said(tmp_path: Path, make_checkpoint: MakeCheckpoint) -> None:
    with pytest.raises(CheckpointError, match=r"the folder `.*nowhere` does not exist"):
        open_checkpoint(PretrainedParams(checkpoint=str(tmp_path / "nowhere")), licences={})
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="is a file, not a folder"):
        open_checkpoint(PretrainedParams(checkpoint=str(tmp_path / "file")), licences={})
    folder = make_checkpoint()
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no `config\.json`, so it holds no model"):
        open_checkpoint(PretrainedParams(checkpoint=str(folder)), licences={})


def test_the_home_folder_is_known(
    tmp_path: Path, make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_checkpoint("mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_checkpoint(PretrainedParams(checkpoint="~/mine"), licences={}).folder == tmp_path / "mine"


def test_safe_weights_come_before_pickled_ones(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    torch.save({}, folder / "pytorch_model.bin")
    assert [path.name for path in weight_files(folder)] == ["model.safetensors"]
    (folder / "model.safetensors").unlink()
    assert [path.name for path in weight_files(folder)] == ["pytorch_model.bin"]


def test_a_part_that_is_missing_is_named(make_checkpoint: MakeCheckpoint) -> None:
    folder = make_checkpoint()
    (folder / "model.safetensors").rename(folder / "model-00002-of-00003.safetensors")
    assert missing_parts(folder) == ["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"]
    with pytest.raises(CheckpointError, match=r"lacks model-00001-of-00003\.safetensors, model-00003"):
        open_checkpoint(PretrainedParams(checkpoint=str(folder)), licences={})
    for part in (1, 3):
        (folder / f"model-0000{part}-of-00003.safetensors").touch()
    assert missing_parts(folder) == []
