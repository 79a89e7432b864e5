"""Where the attention of a model lies, utterance by utterance."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor

from vietmer_core.batch import Batch
from vietmer_core.components import Modality
from vietmer_core.model import EmotionModel
from vietmer_core.nn.attention_reading import exposing_modules, reading_attention
from vietmer_core.protocols import NamesStreams
from vietmer_core.sequence import mask_from_lengths

PARTS: Final = ("fusion", "poolers")
"""Parts of the model whose attention is read; that inside an encoder says nothing of modalities."""

Reading = dict[str, dict[str, float]]
"""Module → `text` and `audio`, the share of its attention on the frames of each, where known, and `frames`."""


def attended_modules(model: EmotionModel) -> dict[str, torch.nn.Module]:
    """The modules of the fusion and the poolers whose attention may be read."""
    return {name: module for name, module in exposing_modules(model).items() if name.split(".")[0] in PARTS}


def attention_of(
    model: EmotionModel,
    batches: Iterable[Batch],
    *,
    device: torch.device,
    on_batch: Callable[[int], None] = lambda _: None,
) -> dict[int, Reading]:
    """The attention of each utterance, by its position in the split; nothing of a module without a frame to attend to.

    `frames` is the number of frames that the attention amounts to, e to the power of its entropy: all that there are
    where they are attended alike, 1 where it is one of them. Everything is a mean over heads, and over real queries.

    Args:
        model: In eval mode, on `device`.
        batches: Unchanged.
        device: Of the model.
        on_batch: Told the number of utterances of each batch done.
    """
    modules, found = attended_modules(model), dict[int, Reading]()
    if not modules:
        return found
    for batch in batches:
        lengths: dict[Modality, Tensor] = {}
        hook = model.fusion.register_forward_pre_hook(_note_lengths(lengths), with_kwargs=True)
        try:
            with torch.inference_mode(), reading_attention(modules) as weights:
                model.embed(batch.to(device))
        finally:
            hook.remove()
        read = {name: _summary(name, tensor, model, lengths) for name, tensor in weights.items()}
        for row, position in enumerate(batch.indices.tolist()):
            found[position] = {name: values[row] for name, values in read.items() if values[row]}
        on_batch(len(batch))
    return found


def _note_lengths(lengths: dict[Modality, Tensor]) -> Callable[[Any, Any, Mapping[str, Any]], None]:
    def note(_: Any, __: Any, given: Mapping[str, Any]) -> None:
        lengths.update({modality: given[modality.value].lengths for modality in Modality})

    return note


def _summary(
    name: str, weights: Tensor, model: EmotionModel, lengths: Mapping[Modality, Tensor]
) -> list[dict[str, float]]:
    """`weights (batch, heads, …, frames)` → one mapping a row."""
    weights = weights.double().flatten(1, -2)  # (batch, heads and queries, frames)
    total = weights.sum(dim=-1)  # (batch, heads and queries): 1, or 0 where there is nothing to attend to
    attends = total > 0.5
    number = attends.sum(dim=1).clamp(min=1)  # (batch,)
    entropy = -torch.special.xlogy(weights, weights).sum(dim=-1)  # (batch, heads and queries)
    frames = entropy.exp().masked_fill(~attends, 0).sum(dim=1) / number  # (batch,)
    columns = {"frames": frames, **_by_modality(name, weights, model, lengths, number=number)}
    return [
        {key: float(values[row]) for key, values in columns.items()} if bool(attends[row].any()) else {}
        for row in range(len(weights))
    ]


def _by_modality(
    name: str, weights: Tensor, model: EmotionModel, lengths: Mapping[Modality, Tensor], *, number: Tensor
) -> dict[str, Tensor]:
    """Modality → `(batch,)`, for a pooler whose stream the fusion names; nothing for other modules."""
    part, *rest = name.split(".")
    if part != "poolers" or len(rest) != 1 or not isinstance(model.fusion, NamesStreams):
        return {}
    order = model.fusion.stream_modalities[int(rest[0])]
    begin = torch.zeros_like(number)
    shares = {modality.value: torch.zeros_like(number, dtype=torch.float64) for modality in Modality}
    for modality in order:
        end = begin + lengths[modality]
        width = weights.shape[-1]
        inside = mask_from_lengths(end, width) & ~mask_from_lengths(begin, width)  # (batch, frames)
        shares[modality.value] = (weights * inside[:, None, :]).sum(dim=(1, 2)) / number
        begin = end
    return shares
