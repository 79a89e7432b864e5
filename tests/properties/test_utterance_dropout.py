"""Training with dropout on: values and parameter gradients of an utterance alone are those in any padded batch."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final, final

import attrs
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.nn.draws import folded, utterance_draws
from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.nn.transformer import TransformerEncoder
from vietmer_core.sequence import MaskedSequence, pad_rows
from vietmer_core.testing.cases import Case, cases

DIM: Final = 8
REPEATS: Final = 3
"""Each number drawn stands so often in the waveform: one frame of the tiny wav2vec 2.0 takes 20 samples."""

Forward = Callable[[dict[str, MaskedSequence]], MaskedSequence]


@attrs.frozen(kw_only=True, eq=False)
class Trial:
    """A module, how it is called, and its inputs by name."""

    module: nn.Module
    forward: Forward
    inputs: tuple[str, ...] = ("sequence",)


def _transformer() -> Trial:
    module = TransformerEncoder(dim=DIM, num_layers=2, num_heads=2, hidden_dim=16, dropout=0.3)
    return Trial(module=module, forward=lambda inputs: module(inputs["sequence"]))


def _xattn() -> Trial:
    component = installed_catalogue().component(Role.FUSION, "xattn")
    params = component.params(dim=DIM, num_heads=2, dropout=0.3, num_blocks=2)
    fusion = component.build(params, text_dim=DIM, audio_dim=DIM)
    return Trial(
        module=fusion,
        forward=lambda inputs: fusion(text=inputs["text"], audio=inputs["audio"])[0],
        inputs=("text", "audio"),
    )


def _roberta(attention: str) -> Trial:
    transformers = pytest.importorskip("transformers", reason="the plugins for pretrained encoders bring it")
    config = transformers.RobertaConfig(
        vocab_size=50, hidden_size=DIM, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=20, hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3,
        attn_implementation=attention,
    )  # fmt: skip
    module = transformers.RobertaModel(config, add_pooling_layer=False)

    def forward(inputs: dict[str, MaskedSequence]) -> MaskedSequence:
        sequence = inputs["sequence"]
        ids = (sequence.features[..., 0].abs() * 20).long().clamp(2, 49).masked_fill(~sequence.mask, 1)
        output = module(ids, attention_mask=sequence.mask.long())
        return sequence.with_features(output.last_hidden_state)

    return Trial(module=module, forward=forward)


def _wav2vec2(attention: str) -> Trial:
    transformers = pytest.importorskip("transformers", reason="the plugins for pretrained encoders bring it")
    config = transformers.Wav2Vec2Config(
        hidden_size=DIM, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, conv_dim=(4, 4),
        conv_stride=(5, 2), conv_kernel=(10, 3), feat_extract_norm="layer", do_stable_layer_norm=True,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, layerdrop=0.0, mask_time_prob=0.0,
        hidden_dropout=0.3, attention_dropout=0.3, activation_dropout=0.3, feat_proj_dropout=0.3,
        attn_implementation=attention,
    )  # fmt: skip
    module = transformers.Wav2Vec2Model(config)

    def forward(inputs: dict[str, MaskedSequence]) -> MaskedSequence:
        waveforms = inputs["sequence"].features.flatten(1).repeat_interleave(REPEATS, dim=1)  # (batch, samples)
        samples = inputs["sequence"].lengths * DIM * REPEATS
        real = torch.arange(waveforms.shape[1])[None] < samples[:, None]
        output = module(waveforms, attention_mask=real.long()).last_hidden_state
        return MaskedSequence(features=output, lengths=module._get_feat_extract_output_lengths(samples).clamp(min=0))

    return Trial(module=module, forward=forward)


MODELS: Final[dict[str, Callable[[], Trial]]] = {
    "Transformer": _transformer,
    "xattn": _xattn,
    "RoBERTa, fused attention": lambda: _roberta("sdpa"),
    "RoBERTa, plain attention": lambda: _roberta("eager"),
    "wav2vec 2.0, fused attention": lambda: _wav2vec2("sdpa"),
    "wav2vec 2.0, plain attention": lambda: _wav2vec2("eager"),
}


def _built(name: str) -> Trial:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trial = MODELS[name]()
    trial.module.to(torch.float64).train()
    return trial


def _rows(case: Case, name: str) -> list[Tensor]:
    generator = torch.Generator().manual_seed(case.seed + len(name))
    return [torch.randn(length, DIM, generator=generator, dtype=torch.float64) for length in case.lengths[name]]


def _run(
    trial: Trial, rows: dict[str, list[Tensor]], draws: Tensor, order: Sequence[int], *, extra: int, replaced: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """The real frames of each row, and the parameter gradients of a weighted sum of them."""
    trial.module.zero_grad(set_to_none=False)
    chosen = {name: [values[row] for row in order] for name, values in rows.items()}
    inputs = {name: pad_rows(values, time=max(map(len, values)) + extra) for name, values in chosen.items()}
    with UtteranceDropout(draws[list(order)], stream=0) if replaced else nullcontext():
        output = trial.forward(inputs)
    frames = [output.features[row, : int(output.lengths[row])] for row in range(len(order))]
    total = [(part * torch.linspace(-1, 1, part.numel()).reshape(part.shape)).sum() for part in frames]
    torch.autograd.backward(torch.stack(total).sum())
    grads = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in trial.module.parameters()]
    return [part.detach() for part in frames], grads


def _gap(trial: Trial, case: Case, *, replaced: bool) -> float:
    """Largest difference alone against batch, ÷ the largest number: values and parameter gradients."""
    rows = {name: _rows(case, name) for name in trial.inputs}
    draws = utterance_draws(torch.arange(len(case)), seed=case.seed, epoch=0)
    batch, gradients = _run(trial, rows, draws, range(len(case)), extra=case.extra, replaced=replaced)
    summed = [torch.zeros_like(gradient) for gradient in gradients]
    apart = 0.0
    for row, values in enumerate(batch):
        (alone,), given_ = _run(trial, rows, draws, [row], extra=0, replaced=replaced)
        assert alone.shape == values.shape
        if alone.numel():
            apart = max(apart, float((alone - values).abs().max()))
        summed = [one + other for one, other in zip(summed, given_, strict=True)]
    largest = max(float(gradient.abs().max()) for gradient in gradients)
    worst = max(float((one - other).abs().max()) for one, other in zip(summed, gradients, strict=True))
    return max(apart, worst / max(1.0, largest))


def _case_of(name: str, case: Case) -> Case:
    """wav2vec 2.0 has no frame for an empty row, and RoBERTa none to read: one frame at least for those."""
    if name in {"Transformer", "xattn"}:
        return case
    lengths = {key: tuple(max(2, length) for length in values) for key, values in case.lengths.items()}
    return attrs.evolve(case, lengths=lengths)


@pytest.mark.parametrize("name", MODELS)
def test_dropout_of_an_utterance_belongs_to_it(name: str) -> None:
    trial = _built(name)

    @given(case=cases(trial.inputs))
    def holds(case: Case) -> None:
        assert _gap(trial, _case_of(name, case), replaced=True) < 1e-10

    holds()


@pytest.mark.parametrize("name", MODELS)
def test_dropout_of_torch_does_not(name: str) -> None:
    """The counter-example."""
    trial = _built(name)
    case = Case(lengths=dict.fromkeys(trial.inputs, (4, 9, 3)), extra=2, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert _gap(trial, case, replaced=False) > 1e-3


@final
class NumberedByPlace(nn.Module):
    """A leak: the flat number of a unit in the padded tensor chooses what is dropped."""

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        numbers = torch.arange(sequence.features.numel()).reshape(sequence.features.shape)
        kept = folded(numbers.flatten(), 0).reshape(numbers.shape) > 0
        return sequence.with_features(sequence.features.masked_fill(~kept, 0))


def test_a_layout_over_the_padded_tensor_is_noticed() -> None:
    module = nn.Sequential(nn.Linear(DIM, DIM)).double()
    leak = NumberedByPlace()
    trial = Trial(
        module=module,
        forward=lambda inputs: leak(inputs["sequence"].with_features(module(inputs["sequence"].features))),
    )
    case = Case(lengths={"sequence": (4, 9, 3)}, extra=2, seed=0)
    assert _gap(trial, case, replaced=True) > 1e-3
