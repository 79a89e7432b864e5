import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters
from vietmer_audio_dual.encoder import DualEncoder
from vietmer_audio_dual.params import DualParams
from vietmer_audio_dual.plugin import build_encoder, build_frontend, register_components

from vietmer_core.errors import AssemblyError
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.sequence import MaskedSequence, pad_rows
from vietmer_core.training.half_precision import DTYPES, check_convolutions

(COMPONENT,) = register_components()


def params_of(*, vggish: dict[str, Any] | None = None, **changes: Any) -> DualParams:
    own = {**COMPONENT.tiny["vggish"], **(vggish or {})}
    return DualParams.model_validate({**COMPONENT.tiny, **changes, "vggish": own})


def encoder_of(params: DualParams) -> DualEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        return cast("DualEncoder", build_encoder(params))


def batch_of(lengths: tuple[int, ...] = (9_000, 0, 650, 3_333)) -> MaskedSequence:
    frontend = build_frontend(params_of())
    generator = torch.Generator().manual_seed(1)
    return pad_rows([frontend(0.3 * torch.randn(length, generator=generator)) for length in lengths])


@pytest.fixture
def published(tmp_path: Path) -> dict[str, Any]:
    """A file of weights, as a spec names it."""
    file = tmp_path / "vggish.pth"
    torch.save(encoder_of(params_of()).vggish.backbone.model.state_dict(), file)
    return {"weights": str(file)}


def trained_names(encoder: DualEncoder) -> set[str]:
    return {name for name, value in encoder.named_parameters() if value.requires_grad}


def of_vggish(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith("vggish.")}


def test_loaded_weights_stay_as_they_are_by_default(published: dict[str, Any]) -> None:
    encoder = encoder_of(params_of(vggish=published, merge="sum", dim=4)).train()
    assert trained_names(encoder) == {
        f"merge.{half}.{kind}" for half in ("first", "second") for kind in ("weight", "bias")
    }
    assert not any(part.training for part in encoder.vggish.backbone.model.modules())
    output = encoder(batch_of())
    torch.autograd.backward(output.features.sum())
    assert all(value.grad is None for value in encoder.vggish.parameters())
    (_, first), (_, second) = backbones(encoder)
    assert (first.record.weights, second.record.weights) == ("random", "pretrained")
    assert second.frozen_names() == frozenset(second.state_dict())
    assert second.parameter_groups() == []


@pytest.mark.parametrize("given", [{}, {"freeze": False}])
def test_random_or_freed_weights_are_trained_and_have_their_own_groups(
    published: dict[str, Any], given: dict[str, Any]
) -> None:
    encoder = encoder_of(params_of(vggish={**published, **given} if given else {})).train()
    assert len(of_vggish(trained_names(encoder))) == 18
    groups = encoder.vggish.backbone.parameter_groups()
    assert [group.depth for group in groups] == list(range(9))
    assert sum(len(group.parameters) for group in groups) == 18
    torch.autograd.backward(encoder(batch_of()).features.square().sum())
    assert all(value.grad is not None for value in encoder.vggish.parameters())


@pytest.mark.parametrize(
    ("given", "trained"),
    [({"freeze": False}, "encoder.layers.0."), ({"train_layers": 1}, "encoder.layers.1."), ({"lora": {}}, "lora_A")],
)
def test_ways_of_training_act_on_the_wav2vec2_half(
    published: dict[str, Any], given: dict[str, Any], trained: str
) -> None:
    names = trained_names(encoder_of(params_of(vggish=published, **given)))
    assert any(trained in name for name in names)
    assert not of_vggish(names)
    both = trained_names(encoder_of(params_of(vggish={**published, "freeze": False}, **given)))
    assert both - of_vggish(both) == names
    assert of_vggish(both)


def test_log_mels_give_the_waveform_no_gradient() -> None:
    sequence = batch_of()
    features = sequence.features.requires_grad_()
    encoder = encoder_of(params_of(freeze=False))
    torch.autograd.backward(encoder(sequence.with_features(features)).features.square().sum())
    assert features.grad is not None
    assert features.grad[:, :, 0].any()
    assert not features.grad[:, :, 1].any()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_autocast_stays_finite(precision: str, merge: str) -> None:
    dtype, encoder, sequence = DTYPES[precision], encoder_of(params_of(merge=merge, freeze=False)), batch_of()
    exact = encoder.eval()(sequence).features
    encoder.train()
    with torch.autocast("cpu", dtype=dtype):
        output = encoder(sequence)
    torch.autograd.backward(output.features.float().square().mean())
    gradients = [value.grad for value in encoder.parameters() if value.grad is not None]
    assert len(gradients) > 30
    assert all(bool(torch.isfinite(value).all()) for value in [output.features, *gradients])
    assert any(value.any() for value in gradients)
    encoder.eval()
    try:
        check_convolutions(encoder, precision=precision, device=torch.device("cpu"))
    except AssemblyError as error:
        pytest.skip(str(error))
    with torch.autocast("cpu", dtype=dtype):
        near = encoder(sequence).features.float()
    assert (near - exact).abs().max() < 0.1 * exact.abs().max()


def loss_and_gradients(encoder: Any, sequence: MaskedSequence) -> tuple[Tensor, list[Tensor]]:
    output = encoder(sequence)
    encoder.zero_grad()
    torch.autograd.backward(output.features.square().sum())
    return output.features.detach(), [value.grad.clone() for value in encoder.parameters() if value.grad is not None]


def like_xlsr(folder: Path) -> str:
    """The tiny checkpoint with layer norm in every convolution and before attention, as XLSR-53 has them."""
    folder.mkdir()
    for file in Path(COMPONENT.tiny["checkpoint"]).iterdir():
        content = json.loads(file.read_text(encoding="utf-8"))
        if file.name == "config.json":
            content |= {
                "feat_extract_norm": "layer",
                "do_stable_layer_norm": True,
                "conv_bias": True,
                "num_hidden_layers": 1,
            }
        (folder / file.name).write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


def test_compiled_equals_eager_and_breaks_the_graph_once(tmp_path: Path) -> None:
    encoder = encoder_of(params_of(checkpoint=like_xlsr(tmp_path / "xlsr"), freeze=False)).double().eval()
    torch.compiler.reset()
    counters.clear()
    compiled = torch.compile(encoder, backend="aot_eager", dynamic=False)
    sequence = batch_of((5_000, 0, 650))
    sequence = sequence.with_features(sequence.features.double())
    expected, wanted = loss_and_gradients(encoder, sequence)
    found, given = loss_and_gradients(compiled, sequence)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    for value, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(value, other, rtol=1e-9, atol=1e-9)
    (reason,) = counters["graph_break"]
    assert "flat_patches" in reason
