"""At canonical shapes an utterance has the same logits, to the bit, whatever stands beside it in a batch.

Whole models of every registered encoder, fusion and pooler, in inference mode, in float32 and under autocast to bf16.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, cast, final

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vietmer_core.batch import Batch, absent_sequence
from vietmer_core.canonical import CanonicalPasses
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Component, Modality, Role
from vietmer_core.model import EmotionModel
from vietmer_core.nn.head import MLPHead
from vietmer_core.nn.packing import concatenate_in_time
from vietmer_core.nn.pooling import MeanPooler
from vietmer_core.sequence import MaskedSequence, pad_rows
from vietmer_core.shapes import FrontendEdges, PassRows, audio_edge
from vietmer_core.testing.assembled import STAND_IN_DIMS, Assembled
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.subjects import Rows

LENGTHS: Final = {"text": (4, 0, 9, 4, 17, 3), "audio": (21, 13, 0, 6, 30, 21)}
"""Rows of both modalities, of one alone, of the same edges and of others."""
TEXT_DIM: Final = 32
AUDIO_DIM: Final = 64
ROWS: Final = {
    "one row": PassRows(frames=1, tokens=1, most=1),
    "four rows": PassRows(frames=10**6, tokens=10**6, most=4),
    "a budget": PassRows(frames=96, tokens=64, most=4),
}
DTYPES: Final = (torch.float32, torch.bfloat16)


def frozen(component: Component) -> Candidate:
    """As registered, with its weights as frozen as they are by default."""
    params = component.params.model_validate({"kind": component.kind, **component.tiny})
    return Candidate(component=component, params=params)


WIDE: Final = {"dim": 32, "hidden_dim": 32, "hidden_dims": [32]}
"""Widths at which several rows may share a pass on a CPU."""


def wide(component: Component, **params: Any) -> Candidate:
    """With the widths at which rows may share a pass."""
    widths = {name: value for name, value in WIDE.items() if name in component.params.model_fields}
    validated = component.params.model_validate({"kind": component.kind, **component.tiny, **widths, **params})
    return Candidate(component=component, params=validated)


GATED: Final = ("bilstm_attn", "cnn_bilstm_attn")


def assemblies() -> dict[str, Assembled]:
    offered = [offer.component for offer in installed_catalogue().offered]
    made = {}
    for component in offered:
        if component.role in (Role.TEXT, Role.AUDIO):
            made[f"{component.role}: {component.kind}"] = Assembled(parts={component.role: frozen(component)})
    head = next(component for component in offered if component.role is Role.HEAD)
    for fusion in (component for component in offered if component.role is Role.FUSION):
        for pooler in (component for component in offered if component.role is Role.POOLER):
            parts = {Role.FUSION: wide(fusion), Role.POOLER: wide(pooler), Role.HEAD: wide(head)}
            made[f"fusion: {fusion.kind}, pooler: {pooler.kind}"] = Assembled(parts=parts)
        if fusion.kind in GATED:
            parts = {Role.FUSION: wide(fusion, merge="gate"), Role.HEAD: wide(head)}
            made[f"fusion: {fusion.kind}, gate"] = Assembled(parts=parts)
    return made


ASSEMBLIES: Final = assemblies()


@pytest.fixture(autouse=True)
def wide_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kit's own encoders at widths at which rows may share a pass."""
    for modality, dim in ((Modality.TEXT, TEXT_DIM), (Modality.AUDIO, AUDIO_DIM)):
        monkeypatch.setitem(STAND_IN_DIMS, modality, dim)


def rows_of(assembled: Assembled) -> Rows:
    sources = assembled.subject().sources
    found = {name: source.rows(LENGTHS[name], seed=7) for name, source in sources.items()}
    return {name: [row.float() if sources[name].is_float else row for row in rows] for name, rows in found.items()}


def batch_of(rows: Rows, chosen: Sequence[int]) -> Batch:
    """Some utterances, junk in the padding."""

    def padded(name: str) -> MaskedSequence:
        if name not in rows:
            return absent_sequence(len(chosen))
        found = pad_rows([rows[name][place] for place in chosen])
        return found.with_features(found.features.masked_fill(~found.mask[..., None], 99))

    return Batch(text=padded("text"), audio=padded("audio"), labels=None, indices=torch.tensor(list(chosen)))


def edges_of(assembled: Assembled) -> FrontendEdges:
    if Role.AUDIO not in assembled.parts:
        return FrontendEdges(lambda samples: samples, sampling_rate=50)
    frontend = assembled.parts[Role.AUDIO].frontend()
    return FrontendEdges(frontend.num_frames, sampling_rate=frontend.sampling_rate)


def autocast(dtype: torch.dtype) -> AbstractContextManager[Any]:
    return nullcontext() if dtype == torch.float32 else torch.autocast("cpu", dtype=dtype)


def largest_difference(assembled: Assembled, model: nn.Module, *, pass_rows: PassRows, dtype: torch.dtype) -> float:
    """Between the logits of each utterance alone and in three batches of others, in other orders."""
    rows = rows_of(assembled)
    passes = CanonicalPasses(cast("EmotionModel", model.eval()), audio_edges=edges_of(assembled), rows=pass_rows)
    count = len(LENGTHS["text"])
    readable = [place for place in range(count) if any(len(values[place]) for values in rows.values())]
    order = np.random.default_rng(0).permutation(readable).tolist()
    with torch.inference_mode(), autocast(dtype):
        alone = {place: passes.logits([batch_of(rows, [place])])[0] for place in readable}
        return max(
            float((found - alone[place]).abs().max())
            for batch in (readable, [*readable, *readable][::-1], order)
            for place, found in zip(batch, passes.logits([batch_of(rows, batch)]), strict=True)
        )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ASSEMBLIES)
def test_neighbours_change_no_bit(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = ASSEMBLIES[name].subject().make()
    for title, pass_rows in ROWS.items():
        assert largest_difference(ASSEMBLIES[name], model, pass_rows=pass_rows, dtype=dtype) == 0.0, title


@final
class NeighbourlyFusion(nn.Module):
    """A fusion that scales by the largest number of the batch and back again: exact, but not to the bit."""

    def __init__(self, *, text_dim: int, audio_dim: int) -> None:
        super().__init__()
        self.output_dims = (32,)
        self.text = nn.Linear(text_dim, 32)
        self.audio = nn.Linear(audio_dim, 32)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        joined = concatenate_in_time(
            text.with_features(self.text(text.features)), audio.with_features(self.audio(audio.features))
        )
        largest = joined.features.abs().max()
        return (joined.with_features(joined.features / largest * largest),)


def neighbourly(**parts: Any) -> EmotionModel:
    fusion = NeighbourlyFusion(text_dim=TEXT_DIM, audio_dim=AUDIO_DIM)
    head = MLPHead(dim=32, num_classes=4, hidden_dims=[], dropout=0.0)
    poolers = [MeanPooler(dim=32)]
    return EmotionModel(text=parts["text"], audio=parts["audio"], fusion=fusion, poolers=poolers, head=head)


def test_a_fusion_that_looks_at_its_neighbours_is_caught_unless_it_has_none() -> None:
    assembled = Assembled(parts={}, model=neighbourly)
    torch.manual_seed(0)
    model = assembled.subject().make()
    dtype = torch.float32
    assert largest_difference(assembled, model, pass_rows=ROWS["four rows"], dtype=dtype) > 0.0
    assert largest_difference(assembled, model, pass_rows=ROWS["one row"], dtype=dtype) == 0.0


class Recording(nn.Module):
    """A linear layer that notes the shapes it saw."""

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.inner = nn.Linear(in_features, in_features)
        self.shapes: set[tuple[int, ...]] = set()

    def forward(self, states: Tensor) -> Tensor:
        self.shapes.add(tuple(states.shape))
        return cast("Tensor", self.inner(states))


@pytest.mark.parametrize(("width", "threads", "num_rows"), [(64, 1, 4), (64, 2, 1), (64, 3, 1), (48, 1, 1), (7, 1, 1)])
def test_several_rows_share_a_pass_only_where_no_place_changes_bits(
    width: int, threads: int, num_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assembled = ASSEMBLIES["fusion: late, pooler: mean"]
    model = cast("EmotionModel", assembled.subject().make())
    seen = Recording(AUDIO_DIM)
    cast("Any", model.audio).project = seen
    cast("Any", model.audio).other = nn.Linear(width, 32)
    with monkeypatch.context() as patched:
        patched.setattr(torch, "get_num_threads", lambda: threads)
        passes = CanonicalPasses(model.eval(), audio_edges=edges_of(assembled), rows=ROWS["four rows"])
    with torch.inference_mode():
        passes.logits([batch_of(rows_of(assembled), range(6))])
    assert {shape[0] for shape in seen.shapes if shape[1]} == {num_rows}
    assert {shape[1] for shape in seen.shapes} == {0, *(audio_edge(length) for length in LENGTHS["audio"] if length)}


def test_logits_are_those_of_the_padded_batch() -> None:
    assembled = ASSEMBLIES["fusion: xattn, pooler: attn"]
    torch.manual_seed(0)
    model = assembled.subject().make().eval()
    batch = batch_of(rows_of(assembled), range(len(LENGTHS["text"])))
    with torch.inference_mode():
        expected = model(batch)  # (utterances, classes)
        for pass_rows in ROWS.values():
            passes = CanonicalPasses(cast("EmotionModel", model), audio_edges=edges_of(assembled), rows=pass_rows)
            torch.testing.assert_close(passes.logits([batch]), expected, atol=1e-5, rtol=1e-5)
