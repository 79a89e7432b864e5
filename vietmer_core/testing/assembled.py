"""A whole model as a subject of the checks: encoders → fusion → poolers → head."""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import attrs
import torch
from torch import nn

from vietmer_core.batch import Batch
from vietmer_core.builtin import MeanPoolerParams, MLPHeadParams, build_mean_pooler, build_mlp_head
from vietmer_core.components import BOTH_MODALITIES, Modality, Role
from vietmer_core.model import EmotionModel
from vietmer_core.protocols import Encoder, Fusion, Head, Pooler
from vietmer_core.testing.candidates import AUDIO_DIM, DIM, NUM_CLASSES, TEXT_DIM, Candidate, as_frames
from vietmer_core.testing.sources import FeatureSource, Source
from vietmer_core.testing.stand_ins import StandInEncoder, StandInFusion
from vietmer_core.testing.subjects import Inputs, Outputs, Subject

STAND_IN_DIMS: Final = {Modality.TEXT: TEXT_DIM, Modality.AUDIO: AUDIO_DIM}


@attrs.frozen(kw_only=True, eq=False)
class Assembled:
    """A model of registered parts; a part that is not given is the kit's own, or the core's mean pooler or MLP head.

    Attributes:
        parts: Registered parts by role.
        model: Makes the model from its parts.
    """

    parts: Mapping[Role, Candidate]
    model: Callable[..., nn.Module] = EmotionModel

    @property
    def name(self) -> str:
        """`model of fusion: xattn, pooler: mean`."""
        return "model of " + ", ".join(part.name for part in self.parts.values())

    @property
    def modalities(self) -> frozenset[Modality]:
        """What the model reads."""
        fusion = self.parts.get(Role.FUSION)
        return BOTH_MODALITIES if fusion is None else fusion.component.modalities

    def subject(self) -> Subject:
        """The model as a subject: rows of each modality in, logits out."""
        sources = {str(modality): self._source(modality) for modality in sorted(self.modalities)}
        absent = [str(modality) for modality in Modality if modality not in self.modalities]
        return Subject(name=self.name, make=self._make, call=self._call, sources=sources, absent=absent)

    def _source(self, modality: Modality) -> Source:
        part = self.parts.get(Role(modality))
        return FeatureSource(dim=STAND_IN_DIMS[modality]) if part is None else part.subject().sources["sequence"]

    def _call(self, module: nn.Module, inputs: Inputs) -> Outputs:
        size = len(inputs["text"].lengths)
        batch = Batch(text=inputs["text"], audio=inputs["audio"], labels=None, indices=torch.arange(size))
        return as_frames(self.name, module(batch), size, axes=2)

    def _make(self) -> nn.Module:
        encoders = {modality: self._encoder(modality) for modality in sorted(self.modalities)}
        dims = {modality: encoder.output_dim for modality, encoder in encoders.items()}
        fusion = self._fusion(dims.get(Modality.TEXT, 0), dims.get(Modality.AUDIO, 0))
        poolers = [self._pooler(dim) for dim in fusion.output_dims]
        head = self._head(sum(pooler.output_dim for pooler in poolers))
        text, audio = encoders.get(Modality.TEXT), encoders.get(Modality.AUDIO)
        return self.model(text=text, audio=audio, fusion=fusion, poolers=poolers, head=head)

    def _encoder(self, modality: Modality) -> Encoder:
        if Role(modality) in self.parts:
            return cast("Encoder", self._built(Role(modality)))
        return StandInEncoder(dim=STAND_IN_DIMS[modality], output_dim=STAND_IN_DIMS[modality])

    def _fusion(self, text_dim: int, audio_dim: int) -> Fusion:
        if Role.FUSION in self.parts:
            return cast("Fusion", self._built(Role.FUSION, text_dim=text_dim, audio_dim=audio_dim))
        return StandInFusion(text_dim=text_dim, audio_dim=audio_dim, dim=DIM)

    def _pooler(self, dim: int) -> Pooler:
        if Role.POOLER in self.parts:
            return cast("Pooler", self._built(Role.POOLER, dim=dim))
        return build_mean_pooler(MeanPoolerParams(), dim=dim)

    def _head(self, dim: int) -> Head:
        if Role.HEAD in self.parts:
            return cast("Head", self._built(Role.HEAD, dim=dim, num_classes=NUM_CLASSES))
        return build_mlp_head(MLPHeadParams(hidden_dims=(8,)), dim=dim, num_classes=NUM_CLASSES)

    def _built(self, role: Role, **dims: int) -> Any:  # the keyword arguments are those of the role's `build`
        part = self.parts[role]
        return part.component.build(part.params, **dims)
