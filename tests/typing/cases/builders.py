"""`build` functions and uses that break the signature of a role."""

from collections.abc import Sequence

import torch
from pydantic import BaseModel

from vietmer_core.components import Component, Role
from vietmer_core.nn.head import MLPHead
from vietmer_core.nn.pooling import MeanPooler
from vietmer_core.protocols import (
    BuildFusion,
    BuildHead,
    BuildLoss,
    BuildPooler,
    BuildSampler,
    BuildTracker,
    Loss,
    Pooler,
    Sampler,
    UtteranceSizes,
)
from vietmer_core.sequence import MaskedSequence


class Params(BaseModel):
    dim: int = 8


def pooler_for_any_width(params: Params) -> Pooler:
    return MeanPooler(dim=params.dim)


def head_as_pooler(params: Params, *, dim: int) -> MLPHead:
    return MLPHead(dim=dim, num_classes=params.dim, hidden_dims=[], dropout=0.0)


def fusion_with_one_width(params: Params, *, dim: int) -> object:
    return params, dim


class OneOrder:
    def batches(self) -> Sequence[Sequence[int]]:
        return [[0]]


class OneBatch:
    def batches(self, epoch: int) -> Sequence[int]:
        return [epoch]


def unseeded(params: Params, *, sizes: UtteranceSizes) -> Sampler:
    raise NotImplementedError(params, sizes)


def loss_of_bare_counts(params: Params, *, class_counts: Sequence[int]) -> Loss:
    raise NotImplementedError(params, class_counts)


def tracker_in_a_folder(params: Params, *, folder: str) -> object:
    return params, folder


any_width: BuildPooler = pooler_for_any_width  # refused: assignment
wrong_part: BuildPooler = head_as_pooler  # refused: assignment
wrong_widths: BuildFusion = fusion_with_one_width  # refused: assignment
pooler_as_head: BuildHead = head_as_pooler  # refused: assignment
no_epoch: Sampler = OneOrder()  # refused: assignment
no_batches: Sampler = OneBatch()  # refused: assignment
no_seed: BuildSampler = unseeded  # refused: assignment
bare_counts: BuildLoss = loss_of_bare_counts  # refused: assignment
with_folder: BuildTracker = tracker_in_a_folder  # refused: assignment

MaskedSequence(torch.zeros(1, 1), torch.ones(1))  # refused: call-arg
MeanPooler(8)  # refused: call-arg
Component(role="pooler", params=Params, build=head_as_pooler, summary="", licence="")  # refused: arg-type
Component(role=Role.POOLER, params=Params, build=head_as_pooler, summary="")  # refused: call-arg
