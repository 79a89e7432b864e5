"""A tiny pretrained network as a folder, as it comes from the hub."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from transformers import BertConfig, BertModel

from vietmer_core.pretrained import licences
from vietmer_core.pretrained.params import PretrainedParams

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class BertParams(PretrainedParams):
    """Parameters of a test encoder."""

    kind: Literal["bert"] = "bert"


def tiny_config(**changes: Any) -> BertConfig:
    sizes = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2}
    return BertConfig(**{**sizes, "intermediate_size": 16, "max_position_embeddings": 16, **changes})


@pytest.fixture
def make_checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Save a network of random weights as a folder."""

    def make(name: str = "bert", *, seed: int = 0, folder: Path | None = None, **changes: Any) -> Path:
        torch.manual_seed(seed)
        path = (folder or tmp_path) / name
        BertModel(tiny_config(**changes), add_pooling_layer=False).save_pretrained(path)
        return path

    return make


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "_WARNED", set())
