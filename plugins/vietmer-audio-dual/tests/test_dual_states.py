"""States that may be kept, and bits that no neighbour changes."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from vietmer_audio_dual import vggish_half
from vietmer_audio_dual.encoder import DualEncoder
from vietmer_audio_dual.params import DualParams
from vietmer_audio_dual.plugin import build_encoder, build_frontend, register_components

from vietmer_core.protocols import CacheableEncoder
from vietmer_core.sequence import MaskedSequence, pad_rows
from vietmer_core.testing import ConformanceError, run_check

(COMPONENT,) = register_components()
VGGISH: dict[str, Any] = dict(COMPONENT.tiny["vggish"])
WIDTH = 16


def params_of(*, vggish: dict[str, Any] | None = None, **changes: Any) -> DualParams:
    return DualParams.model_validate({**COMPONENT.tiny, **changes, "vggish": {**VGGISH, **(vggish or {})}})


def encoder_of(params: DualParams) -> DualEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        return cast("DualEncoder", build_encoder(params)).eval()


@pytest.fixture
def published(tmp_path: Path) -> dict[str, Any]:
    """A file of weights, as a spec names it; frozen by default."""
    file = tmp_path / "vggish.pth"
    torch.save(encoder_of(params_of()).vggish.backbone.model.state_dict(), file)
    return {"weights": str(file)}


def batch(*lengths: int) -> MaskedSequence:
    frontend = build_frontend(params_of())
    generator = torch.Generator().manual_seed(1)
    return pad_rows([frontend(0.3 * torch.randn(length, generator=generator)) for length in lengths])


@pytest.mark.parametrize("merge", [{}, {"merge": "sum", "dim": 6}])
@pytest.mark.parametrize(("layers", "width"), [("last", WIDTH), ("weighted_sum", 3 * WIDTH)])
def test_the_states_are_those_of_both_halves_before_they_are_merged(
    published: dict[str, Any], merge: dict[str, Any], layers: str, width: int
) -> None:
    encoder = encoder_of(params_of(vggish=published, layers=layers, **merge)).train()
    assert isinstance(encoder, CacheableEncoder)
    sequence = batch(9_000, 0, 650, 3_333)
    states = encoder.encode(sequence)
    assert states.features.shape[2] == encoder.states_dim == width + VGGISH["dim"]
    assert not states.features.requires_grad
    assert not states.features[~states.mask].any()
    first = sequence.with_features(sequence.features[:, :, :1])
    assert torch.equal(states.features[:, :, :width], encoder.wav2vec2.encode(first).features)
    assert torch.equal(encoder.finish(states).features, encoder(sequence).features)


def test_merging_comes_behind_the_states(published: dict[str, Any]) -> None:
    side_by_side, summed = (
        encoder_of(params_of(vggish=published, **merge)) for merge in ({}, {"merge": "sum", "dim": 6})
    )
    sequence = batch(9_000, 650)
    assert torch.equal(side_by_side.encode(sequence).features, summed.encode(sequence).features)


@pytest.mark.parametrize(
    ("given", "vggish", "obstacle"),
    [
        ({}, {}, ""),
        ({"lora": {}}, {}, "`lora` trains low-rank updates inside it"),
        ({"spec_augment": {}}, {}, "`spec_augment` hides other spans in every epoch"),
        ({}, {"freeze": False}, "`vggish.freeze: false` trains its weights"),
        (
            {"train_layers": 1},
            {"freeze": False},
            "`train_layers: 1` trains its last layers, and `vggish.freeze: false` trains its weights",
        ),
    ],
)
def test_what_changes_the_states_of_either_half_is_named(
    published: dict[str, Any], given: dict[str, Any], vggish: dict[str, Any], obstacle: str
) -> None:
    assert encoder_of(params_of(vggish={**published, **vggish}, **given)).obstacle() == obstacle


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("merge", [{}, {"merge": "sum", "dim": 6}])
def test_the_output_has_the_dtype_of_the_weights(dtype: torch.dtype, merge: dict[str, Any]) -> None:
    encoder, sequence = encoder_of(params_of(**merge)).to(dtype), batch(3_333, 650)
    with torch.inference_mode():
        assert encoder(sequence.with_features(sequence.features.to(dtype))).features.dtype == dtype


@pytest.mark.parametrize("given", [{}, {"merge": "sum", "dim": 8}, {"window_seconds": 0.2, "overlap_seconds": 0.08}])
def test_neighbours_change_no_bit(given: dict[str, Any]) -> None:
    run_check(COMPONENT, "canonical_bits", params={**COMPONENT.tiny, **given})


def test_as_many_patches_as_the_batch_has_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A VGGish wide enough for another kernel where patches are few."""
    wide = {**VGGISH, "channels": (2, 2, 3, 3, 4, 32), "hidden_dim": 512}
    params = {**COMPONENT.tiny, "vggish": wide}
    run_check(COMPONENT, "canonical_bits", params=params)

    def without_dummies(patches: Tensor, _missing: tuple[int, ...]) -> Tensor:
        return patches

    monkeypatch.setattr(vggish_half, "pad", without_dummies)
    with pytest.raises(ConformanceError, match="not a bit may differ"):
        run_check(COMPONENT, "canonical_bits", params=params)
