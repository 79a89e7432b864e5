"""A convolution that the processor computes wrongly in half precision is refused before anything is trained."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vietmer_core.errors import AssemblyError
from vietmer_core.training.half_precision import check_convolutions

CPU = torch.device("cpu")
REAL: Callable[..., Tensor] = nn.functional.conv1d


@pytest.fixture
def wrong_in_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions of stride 8 give zeros under autocast, all others what they give in fp32."""

    def convolve(given: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...], *rest: int) -> Tensor:
        is_half = torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", enabled=False):
            made = REAL(given, weight, bias, stride, *rest)
        return torch.zeros_like(made) if is_half and stride[0] == 8 else made

    monkeypatch.setattr(nn.functional, "conv1d", convolve)


@pytest.mark.usefixtures("wrong_in_half")
def test_a_convolution_that_is_wrong_in_half_precision_is_named() -> None:
    model = nn.Sequential(nn.Conv1d(1, 4, 3), nn.Conv1d(4, 8, 8, stride=8))
    sentence = (
        r"`training.precision` must be `fp32` for this model on this processor, but is `bf16`: torch .* computes its "
        r"convolution of 4 to 8 channels, kernel 8, stride 8 wrongly there, by 100% of the largest value."
    )
    with pytest.raises(AssemblyError, match=sentence):
        check_convolutions(model, precision="bf16", device=CPU)


@pytest.mark.usefixtures("wrong_in_half")
def test_others_pass() -> None:
    check_convolutions(nn.Sequential(nn.Conv1d(1, 4, 3), nn.Conv1d(4, 4, 2, dilation=3)), precision="bf16", device=CPU)
    check_convolutions(nn.Conv1d(4, 8, 8, stride=8), precision="fp32", device=CPU)
    check_convolutions(nn.Linear(3, 3), precision="bf16", device=CPU)


def test_the_check_draws_nothing_from_the_global_generator() -> None:
    model = nn.Conv1d(2, 4, 3, groups=2)
    before = torch.get_rng_state()
    check_convolutions(model, precision="bf16", device=CPU)
    assert torch.equal(torch.get_rng_state(), before)
