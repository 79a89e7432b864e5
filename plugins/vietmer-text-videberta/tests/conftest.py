"""Tiny random networks, and what is compared between a row alone and in a padded batch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor, nn
from vietmer_text_videberta.loading import load_encoder
from vietmer_text_videberta.plugin import TINY, VidebertaParams

from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.sequence import MaskedSequence, pad_rows

JUNK = 10_000
TINY_PARAMS = {"checkpoint": str(TINY), "weights": "random", "segmenter": "none", "unreadable": "keep"}
Encode: TypeAlias = Callable[[MaskedSequence], MaskedSequence]


def _params(**given: Any) -> VidebertaParams:
    return VidebertaParams.model_validate({**TINY_PARAMS, **given})


def _encoder(dtype: torch.dtype = torch.float64, **given: Any) -> TokenEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return load_encoder(_params(**given)).to(dtype).eval()


def _rows(lengths: Sequence[int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths) + len(lengths))
    return [torch.randint(1, 90, (length, 1), generator=generator) for length in lengths]


def _junk_padded(rows: Sequence[Tensor], extra: int) -> MaskedSequence:
    clean = pad_rows(rows, time=max(len(row) for row in rows) + extra)
    return clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], JUNK))


def _loss(output: MaskedSequence) -> Tensor:
    """A sum in which every real value counts, by its place in its own row."""
    weights = torch.arange(1, output.features[0].numel() + 1, dtype=output.features.dtype).sin()
    return (output.zeroed().features * weights.reshape(output.features.shape[1:])).sum()


def _gradients(module: nn.Module, outputs: Sequence[MaskedSequence]) -> dict[str, Tensor]:
    module.zero_grad()
    for output in outputs:
        if output.features.requires_grad:  # not where every transcript is empty
            torch.autograd.backward(_loss(output))
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    return {
        name: torch.zeros_like(value) if value.grad is None else value.grad.clone() for name, value in trained.items()
    }


def _gap(encode: Encode, module: nn.Module, rows: Sequence[Tensor], *, extra: int = 3, junk: bool = True) -> float:
    """Largest difference, values and gradients, between each row alone and in the padded batch, over the scale."""
    width = max(len(row) for row in rows) + extra
    together = encode(_junk_padded(rows, extra) if junk else pad_rows(rows, time=width))
    alone = [encode(pad_rows([row])) for row in rows]
    scale = float(together.zeroed().features.detach().abs().max()) or 1.0
    worst = 0.0
    for index, (row, single) in enumerate(zip(rows, alone, strict=True)):
        difference = (together.features[index, : len(row)] - single.features[0]).detach().abs().flatten()
        worst = max([worst, *difference.div(scale).tolist()])
    joint, separate = _gradients(module, [together]), _gradients(module, alone)
    largest = max([1.0, *(float(gradient.abs().max()) for gradient in joint.values())])
    return max([worst, *(float((joint[name] - separate[name]).abs().max()) / largest for name in joint)])


@pytest.fixture(scope="session")
def params_of() -> Callable[..., VidebertaParams]:
    """Parameters of a tiny network, with some changed."""
    return _params


@pytest.fixture(scope="session")
def encoder_of() -> Callable[..., TokenEncoder]:
    """A tiny network in float64, in evaluation mode; always the same random weights."""
    return _encoder


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Sequence[int]], list[Tensor]]:
    """Rows of ids `(length, 1)`."""
    return _rows


@pytest.fixture(scope="session")
def junk_padded() -> Callable[[Sequence[Tensor], int], MaskedSequence]:
    """Rows as a batch, ids that no vocabulary has in the padding."""
    return _junk_padded


@pytest.fixture(scope="session")
def gap() -> Callable[..., float]:
    return _gap


@pytest.fixture(scope="session")
def loss_of() -> Callable[[MaskedSequence], Tensor]:
    return _loss


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Saves a tiny random checkpoint as transformers does: config, weights (of a whole masked-language model or of
    `model_class`) and the tokenizer."""

    def save(name: str = "videberta", *, pickled: bool = False, model_class: Any = None, **changes: Any) -> Path:
        from transformers import DebertaV2Config, DebertaV2ForMaskedLM

        folder = tmp_path / name
        config = DebertaV2Config.from_pretrained(TINY)
        for field, value in changes.items():
            setattr(config, field, value)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(9)
            model = (model_class or DebertaV2ForMaskedLM)(config)
        model.save_pretrained(folder)
        if pickled:
            torch.save(model.state_dict(), folder / "pytorch_model.bin")
            (folder / "model.safetensors").unlink()
        (folder / "tokenizer.json").write_bytes((TINY / "tokenizer.json").read_bytes())
        return folder

    return save
