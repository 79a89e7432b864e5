"""Dropout that belongs to an utterance: what a row drops does not depend on the batch around it.

torch draws one random layout over the padded tensor, so that an utterance loses other units in another batch. Inside
`UtteranceDropout` each row draws from its own seed, at the place of each unit, so that training with dropout too gives
the same for an utterance alone and in any batch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import local
from typing import Any, Final, final

from torch import Tensor
from torch.overrides import TorchFunctionMode

from vietmer_core.errors import AssemblyError
from vietmer_core.nn.draws import chosen, folded
from vietmer_core.nn.dropout_calls import REPLACEMENTS

_DROPOUT: Final = 0x64726F70
"""Sets the numbers of dropout apart from what a module draws for itself from the same seeds."""


class _Active(local):
    """The contexts entered in a thread, the innermost last: the backward pass may run in a thread of its own."""

    def __init__(self) -> None:
        self.stack: list[UtteranceDropout] = []


_ACTIVE: Final = _Active()


@final
class UtteranceDropout(TorchFunctionMode):
    """Inside this context every call of dropout draws for each utterance by itself.

    Replaced are `dropout` in all its forms in `torch.nn.functional` and `torch`, the dropout of
    `scaled_dot_product_attention` and `multi_head_attention_forward` (in plain arithmetic, since the fused kernels
    draw by themselves) and that between the layers of recurrent networks. The mask of a row depends on its seed, on the
    number of the call inside this context and on the indices of the unit. A tensor begins with the axis of the rows,
    or with rows × heads (or × anything else, the rows outermost).

    Layers that are left out at random as a whole (LayerDrop, stochastic depth) are not dropout and are not replaced.

    Args:
        draws: `(batch,)` int64, the seed of each row.
        stream: Which numbers of the row: each module takes its own.
        name: What runs inside, for the error.

    Raises:
        AssemblyError: at a call of dropout on a tensor whose first axis cannot hold the rows.
    """

    def __init__(self, draws: Tensor, *, stream: int, name: str = "model") -> None:
        super().__init__()
        self._stream = stream
        self._name = name
        self._draws = self._seeds(draws)
        self._calls = 0

    def __enter__(self) -> "UtteranceDropout":
        _ACTIVE.stack.append(self)
        super().__enter__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]  # torch does not annotate it
        _ACTIVE.stack.pop()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace a call of dropout; pass every other call on."""
        replacement = REPLACEMENTS.get(func)
        if replacement is None:
            return func(*args, **(kwargs or {}))
        return replacement(self, *args, **(kwargs or {}))

    def dropped(self, shape: tuple[int, ...], probability: float) -> Tensor:
        """Where the next call drops: bool of a shape that begins with rows, or with rows × parts.

        Raises:
            AssemblyError: if it does not.
        """
        rows = len(self._draws)
        if not shape or not rows or shape[0] % rows:
            raise AssemblyError(
                f"dropout that draws for each utterance needs tensors that begin with the axis of the {rows} rows (or "
                f"of rows × heads), but the {self._name} drops in one of shape {shape} instead. Set "
                "`training.dropout` to `batch`."
            )
        call, self._calls = self._calls, self._calls + 1
        parts = (shape[0] // rows, *shape[1:])  # of each row
        return chosen(self._draws, stream=call, shape=parts, probability=probability).reshape(shape)

    def refuse(self, what: str) -> AssemblyError:
        """The error for a call in which the rows cannot be told apart."""
        return AssemblyError(
            f"dropout that draws for each utterance cannot be used in {what}, which the {self._name} uses. Set "
            "`training.dropout` to `batch`."
        )

    def again(self) -> "UtteranceDropout":
        """A context in which the calls from here on draw the same numbers once more."""
        copy = UtteranceDropout(self._draws, stream=self._stream, name=self._name)
        copy._draws, copy._calls = self._draws, self._calls
        return copy

    @contextmanager
    def regrouped(self, draws: Tensor) -> Iterator[None]:
        """Other rows inside: see `regrouped`."""
        before, self._draws = self._draws, self._seeds(draws)
        try:
            yield
        finally:
            self._draws = before

    def _seeds(self, draws: Tensor) -> Tensor:
        return folded(folded(draws, _DROPOUT), self._stream)


def regrouped(draws: Tensor | None) -> AbstractContextManager[None]:
    """A context in which the rows are others than the utterances, such as the windows of long audio.

    Nothing happens where no `UtteranceDropout` is active.

    Args:
        draws: `(rows,)` int64, the seed of each row inside (`vietmer_core.nn.draws.part_draws` makes them); None,
            where the sequence had none, changes nothing.
    """
    active = _ACTIVE.stack[-1] if _ACTIVE.stack else None
    return nullcontext() if active is None or draws is None else active.regrouped(draws)


def checkpoint_contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """The `context_fn` for `torch.utils.checkpoint.checkpoint(..., use_reentrant=False)`.

    The forward pass that gradient checkpointing runs again in the backward pass must drop what the first one dropped.
    """
    active = _ACTIVE.stack[-1] if _ACTIVE.stack else None
    return nullcontext(), nullcontext() if active is None else active.again()
