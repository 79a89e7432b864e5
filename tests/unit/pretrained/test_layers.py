"""Which layer of an encoder is read."""

import pytest
import torch

from vietmer_core.pretrained.layers import LayerMix


def states(num_layers: int = 2) -> list[torch.Tensor]:
    return [torch.full((1, 3, 4), float(number)) for number in range(num_layers + 1)]


def mixed(mix: LayerMix, given: list[torch.Tensor]) -> torch.Tensor:
    """The output of an encoder from the states of its layers."""
    output: torch.Tensor = mix(mix.side_by_side(given))
    return output


def test_the_last_state_is_given_as_it_is() -> None:
    given = states()
    assert mixed(LayerMix(choice="last", num_layers=2), given) is given[-1]
    assert mixed(LayerMix(choice=2, num_layers=2), given) is given[-1]
    assert not list(LayerMix(choice="last", num_layers=2).parameters())


def test_a_layer_that_is_not_there_is_refused() -> None:
    LayerMix(choice=0, num_layers=2)
    with pytest.raises(ValueError, match="from 0 to 2, `last` or `weighted_sum`, but is 3 instead"):
        LayerMix(choice=3, num_layers=2)


def test_the_weighted_sum_begins_as_the_mean_and_learns() -> None:
    mix = LayerMix(choice="weighted_sum", num_layers=2)
    torch.testing.assert_close(mixed(mix, states()), torch.full((1, 3, 4), 1.0))
    torch.autograd.backward(mixed(mix, states()).sum())
    assert mix.weights is not None
    assert mix.weights.grad is not None
    assert bool((mix.weights.grad[1:] > mix.weights.grad[:-1]).all()), "a state of larger values pulls harder"
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.0, 0.0, 50.0]))
    torch.testing.assert_close(mixed(mix, states()), states()[-1])


def test_all_states_stand_side_by_side_where_all_are_read() -> None:
    mix, given = LayerMix(choice="weighted_sum", num_layers=2), states()
    found = mix.side_by_side(given)
    assert (mix.reads_all, found.shape[-1], mix.states_dim(4)) == (True, 12, 12)
    assert torch.equal(found, torch.cat(given, dim=-1))
    alone = LayerMix(choice=1, num_layers=2)
    assert (alone.reads_all, alone.states_dim(4)) == (False, 4)


def test_what_is_normalised_or_learned_comes_behind_the_states() -> None:
    given = [torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(number)) for number in range(3)]
    plain, normalised = (
        LayerMix(choice="weighted_sum", num_layers=2, normalise=normalise) for normalise in (False, True)
    )
    assert torch.equal(plain.side_by_side(given), normalised.side_by_side(given))
    assert not torch.equal(mixed(plain, given), mixed(normalised, given))


@pytest.mark.parametrize("choice", ["last", 1, "weighted_sum"])
def test_normalised_states_have_no_offset_and_no_size(choice: str | int) -> None:
    generator = torch.Generator().manual_seed(0)
    given = [100.0 * number + 7.0 ** (number + 1) * torch.randn(2, 3, 64, generator=generator) for number in range(3)]
    mix = LayerMix(choice=choice, num_layers=2, normalise=True)
    read = given if choice == "weighted_sum" else given[:2] if choice == 1 else given
    larger = [1000.0 + 50.0 * state for state in read]
    torch.testing.assert_close(mixed(mix, read), mixed(mix, larger), atol=1e-4, rtol=1e-3)
    plain = LayerMix(choice=choice, num_layers=2)
    assert float((mixed(plain, read) - mixed(plain, larger)).detach().abs().max()) > 100, "without it the size is read"
    assert abs(float(mixed(mix, read).detach().mean())) < 1e-5
