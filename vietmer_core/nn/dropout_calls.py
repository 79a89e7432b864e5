"""What stands for each call of torch that drops units, given who says where to drop."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, Final, Protocol, Self

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

Replacement = Callable[..., Any]

_SELU_LIMIT: Final = 1.7580993408473766
"""What SELU tends to far below zero, negated: the value of a unit that alpha dropout drops (Klambauer et al. 2017)."""


class Dropper(Protocol):
    """Says where to drop; `UtteranceDropout` is the one."""

    def dropped(self, shape: tuple[int, ...], probability: float) -> Tensor: ...
    def refuse(self, what: str) -> Exception: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...


def _slices(states: Tensor, axes: int | None) -> tuple[int, ...]:
    """The shape of a mask over the first `axes` axes, or over all."""
    return tuple(states.shape) if axes is None else (*states.shape[:axes], *[1] * (states.ndim - axes))


def drop(dropper: Dropper, states: Tensor, probability: float, *, axes: int | None = None) -> Tensor:
    """Drop units and divide the others by 1 - probability; with `axes`, whole slices over the axes behind those."""
    if probability >= 1:
        return states * 0
    return (states / (1 - probability)).masked_fill(dropper.dropped(_slices(states, axes), probability), 0)


def _checked(probability: float) -> float:
    if not 0 <= probability <= 1:
        raise ValueError(f"`p` must lie between 0 and 1, but is {probability} instead.")
    return probability


def _plain(*, axes: int | None = None) -> Replacement:
    def replaced(
        dropper: Dropper,
        input: Tensor,  # noqa: A002  # torch's name
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> Tensor:
        if not training or not _checked(p):
            return input
        output = drop(dropper, input, p, axes=axes)
        return input.copy_(output) if inplace else output

    return replaced


def _low_level(*, axes: int | None = None, inplace: bool = False) -> Replacement:
    replacement = _plain(axes=axes)

    def replaced(dropper: Dropper, input: Tensor, p: float, train: bool) -> Any:  # noqa: A002  # torch's name
        return replacement(dropper, input, p, train, inplace)

    return replaced


def _alpha(*, axes: int | None = None) -> Replacement:
    def replaced(
        dropper: Dropper,
        input: Tensor,  # noqa: A002  # torch's name
        p: float = 0.5,
        training: bool = False,
        inplace: bool = False,
    ) -> Tensor:
        if not training or not _checked(p):
            return input
        scale = 0.0 if p == 1 else 1 / math.sqrt((_SELU_LIMIT**2 * p + 1) * (1 - p))
        kept = input.masked_fill(dropper.dropped(_slices(input, axes), p), -_SELU_LIMIT)
        output = kept * scale + scale * _SELU_LIMIT * p
        return input.copy_(output) if inplace else output

    return replaced


def _weights(scores: Tensor) -> Tensor:
    """Softmax over the keys; a query that may read none gets zeros, with finite gradients."""
    nothing = scores.isneginf().all(dim=-1, keepdim=True)  # (..., query, 1)
    return scores.masked_fill(nothing, 0).softmax(dim=-1).masked_fill(nothing, 0)


def _attention(  # noqa: PLR0913  # torch's arguments
    dropper: Dropper,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if not _checked(dropout_p):
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, 0.0, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)  # (..., heads, key, head_dim)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], dim=-3)  # (..., heads, key, head_dim)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.matmul(query * factor, key.mT)  # (..., query, key)
    if is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()  # (query, key)
        scores = scores.masked_fill(~allowed, -math.inf)
    if attn_mask is not None:
        is_bool = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -math.inf) if is_bool else scores + attn_mask
    return torch.matmul(drop(dropper, _weights(scores), dropout_p).to(value.dtype), value)  # (..., query, head_dim)


_MULTI_HEAD_BODY: Final = FunctionType(
    functional.multi_head_attention_forward.__code__,
    {**vars(functional), "has_torch_function": lambda _: False},
    argdefs=functional.multi_head_attention_forward.__defaults__,
)
"""torch's function without its question whether a mode wants to replace it, which a mode that runs it would answer
for ever: inside, the attention and the dropout it calls are replaced one by one."""


def _multi_head(dropper: Dropper, *args: Any, **named: Any) -> Any:
    with dropper:
        return _MULTI_HEAD_BODY(*args, **named)


def _recurrent(func: Callable[..., Any]) -> Replacement:
    """A recurrent network layer by layer, with dropout between them."""

    def replaced(dropper: Dropper, *args: Any) -> Any:
        is_packed = not isinstance(args[3], bool)  # then the sizes of the steps stand second
        num_layers, probability, training = args[5:8] if is_packed else args[4:7]
        if not training or not _checked(probability) or num_layers == 1:
            return func(*args)
        if is_packed:
            raise dropper.refuse("packed sequences, which do not tell their rows apart")
        return _layers(dropper, func, *args)

    return replaced


def _layers(  # noqa: PLR0913, PLR0917  # torch's arguments
    dropper: Dropper,
    func: Callable[..., Any],
    states: Tensor,
    hidden: Tensor | Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    probability: float,
    training: bool,
    is_bidirectional: bool,
    is_batch_first: bool,
) -> tuple[Tensor, ...]:
    directions, each = 1 + is_bidirectional, len(params) // num_layers
    last: list[tuple[Tensor, ...]] = []
    for layer in range(num_layers):
        if layer:
            states = _between(dropper, states, probability, is_batch_first=is_batch_first)
        part = slice(layer * directions, (layer + 1) * directions)
        begin = hidden[part] if isinstance(hidden, Tensor) else tuple(state[part] for state in hidden)
        weights = params[layer * each : (layer + 1) * each]
        states, *ends = func(states, begin, weights, has_biases, 1, 0.0, training, is_bidirectional, is_batch_first)
        last.append(tuple(ends))
    return states, *(torch.cat(ends) for ends in zip(*last, strict=True))  # (layers * directions, batch, dim) each


def _between(dropper: Dropper, states: Tensor, probability: float, *, is_batch_first: bool) -> Tensor:
    if is_batch_first:
        return drop(dropper, states, probability)
    rows_first = rearrange(states, "time batch dim -> batch time dim")
    return rearrange(drop(dropper, rows_first, probability), "batch time dim -> time batch dim")


REPLACEMENTS: Final[Mapping[Callable[..., Any], Replacement]] = {
    functional.dropout: _plain(),
    functional.dropout1d: _plain(axes=2),
    functional.dropout2d: _plain(axes=2),
    functional.dropout3d: _plain(axes=2),
    functional.alpha_dropout: _alpha(),
    functional.feature_alpha_dropout: _alpha(axes=2),
    torch.dropout: _low_level(),
    torch.dropout_: _low_level(inplace=True),
    torch.feature_dropout: _low_level(axes=2),
    torch.feature_dropout_: _low_level(axes=2, inplace=True),
    functional.scaled_dot_product_attention: _attention,
    functional.multi_head_attention_forward: _multi_head,
    **{func: _recurrent(func) for func in (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu)},
}
"""By the function that is called; each takes the dropper first and then what the function takes."""
