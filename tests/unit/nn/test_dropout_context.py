"""Where the context of dropout reaches: windows of an utterance, gradient checkpointing, compiled graphs."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import CheckpointError, checkpoint

from vietmer_core.nn.draws import part_draws, utterance_draws
from vietmer_core.nn.dropout import UtteranceDropout, checkpoint_contexts, regrouped
from vietmer_core.nn.transformer import TransformerEncoder
from vietmer_core.sequence import MaskedSequence

ROWS, TIME, DIM = 3, 5, 8
INPUT = torch.linspace(0.5, 1.5, ROWS * TIME * DIM, dtype=torch.float64).reshape(ROWS, TIME, DIM)


def seeds(rows: int = ROWS) -> Tensor:
    return utterance_draws(torch.arange(rows), seed=0, epoch=0)


def test_windows_of_an_utterance_draw_by_themselves() -> None:
    draws = seeds()
    owners, positions = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 0, 0])
    windows = torch.ones(4, 6)

    def run(rows: Tensor, chosen: slice) -> tuple[Tensor, Tensor]:
        parts = part_draws(rows, owners=owners[chosen] - owners[chosen][0], positions=positions[chosen])
        with UtteranceDropout(rows, stream=0):
            with regrouped(parts):
                inside = functional.dropout(windows[chosen], 0.5)
            return inside, functional.dropout(INPUT[: len(rows)], 0.5)

    together, after = run(draws, slice(None))
    alone, after_alone = run(draws[:1], slice(0, 2))
    assert torch.equal(alone, together[:2])
    assert not torch.equal(together[0], together[1])
    assert torch.equal(after_alone, after[:1])


def test_windows_need_no_context_outside_of_it() -> None:
    with regrouped(seeds()), regrouped(None):
        assert functional.dropout(INPUT, 0.0) is INPUT
    with UtteranceDropout(seeds(), stream=0), regrouped(None):
        functional.dropout(INPUT, 0.5)


def _gradients(network: nn.Module, run: Callable[[Tensor], Tensor]) -> list[Tensor]:
    network.zero_grad()
    with UtteranceDropout(seeds(), stream=0):
        functional.dropout(INPUT, 0.5)  # a call before
        output = run(INPUT)
    torch.autograd.backward((output * INPUT).sum())
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


def _layers() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Sequential(nn.Linear(DIM, DIM), nn.Dropout(0.5), nn.Tanh()) for _ in range(3)]
    return nn.Sequential(*layers).double()


def test_gradient_checkpointing_drops_the_same_once_more() -> None:
    layers = _layers()

    def checkpointed(values: Tensor) -> Tensor:
        for layer in layers:
            values = checkpoint(layer, values, use_reentrant=False, context_fn=checkpoint_contexts)
        return values

    expected = _gradients(layers, layers)
    for one, other in zip(_gradients(layers, checkpointed), expected, strict=True):
        assert torch.equal(one, other)


def test_gradient_checkpointing_without_the_contexts_is_noticed_by_torch() -> None:
    """The counter-example: torch runs the layer again where nothing is replaced any more."""
    layers = _layers()
    with pytest.raises(CheckpointError, match="different metadata"):
        _gradients(layers, lambda values: checkpoint(layers, values, use_reentrant=False))


def test_no_context_is_needed_to_checkpoint() -> None:
    first, second = checkpoint_contexts()
    with first, second:
        assert functional.dropout(INPUT, 0.0) is INPUT


def encode(network: TransformerEncoder, sequence: MaskedSequence) -> Tensor:
    assert sequence.draws is not None
    with UtteranceDropout(sequence.draws, stream=0):
        encoded: MaskedSequence = network(sequence)
    return encoded.features


def test_a_compiled_module_drops_the_same_inside_and_outside_of_the_graph() -> None:
    network = TransformerEncoder(dim=DIM, num_layers=1, num_heads=2, hidden_dim=16, dropout=0.3).train()
    sequence = MaskedSequence(features=INPUT.float(), lengths=torch.tensor([5, 2, 0]), draws=seeds())
    expected = encode(network, sequence)
    whole = torch.compile(encode, backend="eager", fullgraph=True)
    assert torch.allclose(whole(network, sequence), expected, atol=1e-6)
    part = torch.compile(network, backend="eager", fullgraph=True)
    for _ in range(2):
        with UtteranceDropout(seeds(), stream=0):
            assert torch.allclose(part(sequence).features, expected, atol=1e-6)
