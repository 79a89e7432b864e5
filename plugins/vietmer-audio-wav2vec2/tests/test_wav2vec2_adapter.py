"""Strided convolutions above the Transformer (`add_adapter`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder

from vietmer_core.sequence import pad_rows

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]
Plain = Callable[..., Any]

ADAPTER = {"add_adapter": True, "num_adapter_layers": 2, "output_hidden_size": 10}
LENGTHS = (9_001, 401, 0, 2_345, 1_999)


def rows() -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(length, 1, generator=generator, dtype=torch.float64) for length in LENGTHS]


@pytest.mark.parametrize("variant", ["wav2vec2-layer", "wavlm-group"])
def test_an_adapter_equals_transformers_alone_and_in_a_batch(
    variant: str, save: Save, build: Build, plain: Plain
) -> None:
    folder = save(variant, **ADAPTER)
    encoder, model = build(folder), plain(folder)
    assert encoder.output_dim == 10
    with torch.no_grad():
        together = encoder(pad_rows(rows(), time=9_999))
        for index, row in enumerate(rows()):
            length = int(together.lengths[index])
            if not len(row):
                assert length == 0
                continue
            expected = model(row.T).last_hidden_state[0]  # (frames, dim)
            assert length == len(expected) == int(encoder.output_lengths(torch.tensor([len(row)])))
            torch.testing.assert_close(together.features[index, :length], expected, rtol=0, atol=1e-12)


def test_a_row_shorter_than_the_adapter_gives_no_frame_alone_and_in_a_batch(save: Save, build: Build) -> None:
    """One frame, where a kernel of 4 with one zero on each side needs two."""
    encoder = build(save("wav2vec2-layer", **{**ADAPTER, "adapter_kernel_size": 4, "adapter_stride": 3}))
    with torch.no_grad():
        alone = encoder(pad_rows([rows()[1]]))
        together = encoder(pad_rows(rows()))
        longest = encoder(pad_rows([rows()[0]]))
    assert alone.lengths.tolist() == [0]
    assert together.lengths.tolist()[1] == 0
    frames = int(longest.lengths[0])
    assert frames > 0
    torch.testing.assert_close(together.features[0, :frames], longest.features[0], rtol=0, atol=1e-12)


def test_an_adapter_that_reads_padding_would_be_seen(save: Save, plain: Plain) -> None:
    model = plain(save("wav2vec2-layer", **ADAPTER))
    sequence = pad_rows(rows())
    keys = {"attention_mask": sequence.mask.long()}
    with torch.no_grad():
        together = model(sequence.features[[0, 3], :, 0], attention_mask=keys["attention_mask"][[0, 3]])
        alone = model(rows()[3].T).last_hidden_state[0]
    assert (together.last_hidden_state[1, : len(alone)] - alone).abs().max() > 1e-3


@pytest.mark.parametrize("layers", [1, "weighted_sum"])
def test_other_layers_are_read_below_the_adapter(save: Save, build: Build, layers: int | str) -> None:
    encoder = build(save("wav2vec2-layer", **ADAPTER), layers=layers)
    assert encoder.output_dim == 16
    assert encoder.output_lengths(torch.tensor([9_001])).tolist() == [27]


def test_the_adapter_is_trained_with_the_last_layer(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer", **ADAPTER), train_layers=1).train()
    torch.autograd.backward(encoder(pad_rows(rows())).features.square().sum())
    given = {name for name, value in encoder.named_parameters() if value.grad is not None}
    assert "backbone.model.adapter.layers.1.conv.weight" in given
    assert given == {name for name, value in encoder.named_parameters() if value.requires_grad}
