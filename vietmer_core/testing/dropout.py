"""Training mode without dropout, so that two passes can be compared."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, final

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_DROPOUTS: Final = frozenset(
    {
        functional.dropout,
        functional.dropout1d,
        functional.dropout2d,
        functional.dropout3d,
        functional.alpha_dropout,
        functional.feature_alpha_dropout,
        torch.dropout,
    }
)
_RECURRENT: Final = frozenset({torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu})

_DROPOUT_OF_ATTENTION: Final = 10
"""The place of `dropout_p` in the call by `nn.MultiheadAttention`."""


@final
class WithoutDropout(TorchFunctionMode):
    """Inside this context dropout passes its input on, in layers, in attention and between recurrent layers.

    Dropout draws over the padded tensor, so that a wider batch draws other numbers: that is documented and no leak.
    Everything else of the training mode stays, batch statistics included, and is held to the same rules.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace a call of dropout; pass every other call on."""
        named = dict(kwargs or {})
        if func in _DROPOUTS:
            return args[0] if args else named["input"]
        if func is functional.scaled_dot_product_attention:
            named["dropout_p"] = 0.0
            args = (*args[:4], *args[5:])  # query, key, value, attn_mask; the fifth is dropout_p
        if func is functional.multi_head_attention_forward:
            args = (*args[:_DROPOUT_OF_ATTENTION], 0.0, *args[_DROPOUT_OF_ATTENTION + 1 :])
        if func in _RECURRENT:
            args = tuple(0.0 if isinstance(value, float) else value for value in args)
        return func(*args, **named)
