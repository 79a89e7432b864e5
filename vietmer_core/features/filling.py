"""Filling the feature cache: each utterance of a split goes once through each frozen encoder, at canonical shapes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from vietmer_core.cache.dtypes import size_of
from vietmer_core.cache.folder import cache_folder, free_bytes
from vietmer_core.cache.space import FeatureSpace
from vietmer_core.canonical import CanonicalPasses, canonical_passes, rows_of
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality
from vietmer_core.data.dataset import UtteranceDataset
from vietmer_core.data.loader import iterate, make_loader
from vietmer_core.data.manifest import Manifest
from vietmer_core.errors import AssemblyError, CacheError
from vietmer_core.features.identity import space_identity, utterance_key
from vietmer_core.features.states import SplitStates
from vietmer_core.files import in_mib
from vietmer_core.frontends import Frontends
from vietmer_core.memory import memory_told
from vietmer_core.model import EmotionModel
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.protocols import AudioFrontend, CacheableEncoder
from vietmer_core.records import CacheRecord
from vietmer_core.spec import CacheSpec, ExperimentSpec, reads

AT_ONCE: Final = 32
"""Utterances that the loader prepares together."""
TOKENS_PER_WORD: Final = 1.5
"""A guess, for the size that is told before anything is computed."""
REMEDY: Final = "Set `audio.window_seconds` or `loader.workers` lower, or leave the longest recordings out."
"""For a want of memory."""
SPARE_BYTES: Final = 64 * 2**20
"""Left free on the disk."""

Report = Callable[[CacheRecord], None]


@attrs.frozen(kw_only=True, eq=False)
class FeatureCache:
    """The feature cache as one experiment uses it.

    Attributes:
        spec: With its number of threads.
        model: On its device.
        frontends: Those of the model.
        passes: Its canonical passes.
        spaces: Where the states of each frozen encoder are kept.
        report: Told how far the filling is.
    """

    spec: ExperimentSpec
    model: EmotionModel
    frontends: Frontends
    passes: CanonicalPasses
    spaces: dict[Modality, FeatureSpace]
    report: Report

    def states_of(self, manifest: Manifest, split: str) -> dict[Modality, SplitStates]:
        """The states of a split, after computing those that are not there or are damaged.

        Raises:
            CacheError: if the disk is full; what was computed before is kept.
            DataError: if an utterance cannot be prepared; likewise.
        """
        return {modality: self._filled(manifest, split, modality) for modality in self.spaces}

    def _filled(self, manifest: Manifest, split: str, modality: Modality) -> SplitStates:
        space, channel = self.spaces[modality], self.spec.data.channel
        keys = [utterance_key(utterance, modality, channel=channel) for utterance in manifest]
        wanted = [key for key in keys if key]
        space.refresh()
        damaged = space.check(wanted)
        missing = space.missing(wanted)
        distinct = len(set(wanted))
        record = CacheRecord(
            encoder=f"{modality}: {self.spec.kind(modality.value)}",
            split=split,
            folder=space.path,
            num_utterances=distinct,
            num_kept=distinct - len(missing),
            num_damaged=len(damaged),
            num_done=0,
            num_bytes=self._size(manifest, modality, _positions(keys, missing)),
        )
        self.report(record)
        if missing:
            self._fill(manifest, modality, keys, record)
        return SplitStates.of(space, keys)

    def _fill(self, manifest: Manifest, modality: Modality, keys: Sequence[str], record: CacheRecord) -> None:
        space = self.spaces[modality]
        with space.filling(on_wait=lambda holder: self.report(attrs.evolve(record, waits_for=holder))) as writer:
            missing = space.missing(filter(None, keys))  # others may have filled it meanwhile
            if not missing:
                return
            rows = _positions(keys, missing)
            record = attrs.evolve(record, num_kept=record.num_utterances - len(missing))
            self._require_room(space, self._size(manifest, modality, rows))
            for done, (position, states) in enumerate(self._encoded(manifest, modality, rows), start=1):
                writer.put(keys[position], states.float().cpu().numpy())  # rounded there to what is stored
                self.report(attrs.evolve(record, num_done=done))

    def _encoded(
        self, manifest: Manifest, modality: Modality, rows: NDArray[np.int64]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """A position and its states `(frames, dim)`, one by one, the longest first."""
        read = Frontends(**{m.value: getattr(self.frontends, m.value) if m is modality else None for m in Modality})
        channel = self.spec.data.channel
        dataset = UtteranceDataset(manifest, frontends=read, labels=None, channel=channel, allows_nothing=True)
        sizes = manifest.sizes.audio_seconds if modality is Modality.AUDIO else manifest.sizes.text_words
        order = rows[np.argsort(-sizes[rows], kind="stable")].tolist()
        batches = [order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE)]
        loader = make_loader(dataset, batches, loader=self.spec.loader, seed=0, pin_memory=False)
        was_training = self.model.training
        self.model.eval()
        try:
            for batch in iterate(loader):
                positions = batch.indices.tolist()
                encoding = self.passes.encoding(modality, rows_of(batch, modality))
                while True:
                    with torch.inference_mode(), memory_told(REMEDY, what="encoding an utterance"):
                        found = next(encoding, None)
                    if found is None:
                        break
                    yield positions[found[0]], found[1].features
        finally:
            self.model.train(was_training)

    def _size(self, manifest: Manifest, modality: Modality, rows: NDArray[np.int64]) -> int:
        """About how many bytes the states of some rows take."""
        space, encoder = self.spaces[modality], cast("Any", self.model.encoder(modality))
        if modality is Modality.AUDIO:
            frontend = cast("AudioFrontend", self.frontends.audio)
            samples = np.round(manifest.sizes.audio_seconds[rows] * frontend.sampling_rate)
            lengths = [frontend.num_frames(int(number)) for number in samples]
            frames = int(encoder.output_lengths(torch.tensor(lengths, dtype=torch.int64)).sum())
        else:
            frames = round(TOKENS_PER_WORD * float(manifest.sizes.text_words[rows].sum()))
        return size_of(frames, dim=space.dim, dtype=space.dtype, entries=len(rows))

    @staticmethod
    def _require_room(space: FeatureSpace, num_bytes: int) -> None:
        free = free_bytes(space.path)
        wanted = num_bytes + SPARE_BYTES
        if wanted > free:
            raise CacheError(
                f"cache folder `{space.path}`: about {in_mib(wanted)} must be free for the states that are still to be "
                f"computed and some room beside, but only {in_mib(free)} are. Free some space, set "
                "`cache.dtype: fp16`, or name another `cache.folder`."
            )


def with_cache(spec: ExperimentSpec, folder: str | None) -> ExperimentSpec:
    """The spec with its feature cache in another folder, or without one (`none`); as it is where `folder` is None."""
    if folder is None:
        return spec
    moved = CacheSpec(folder=Path(folder), dtype=spec.cache.dtype if spec.cache else "fp32")
    return spec.model_copy(update={"cache": None if folder == "none" else moved})


def _positions(keys: Sequence[str], chosen: Sequence[str]) -> NDArray[np.int64]:
    """The first position of each chosen key."""
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        first.setdefault(key, row)
    return np.array([first[key] for key in chosen], dtype=np.int64)


def open_feature_cache(
    spec: ExperimentSpec,
    catalogue: Catalogue,
    model: EmotionModel,
    frontends: Frontends,
    *,
    device: torch.device,
    report: Report = lambda _: None,
) -> FeatureCache | None:
    """The feature cache of an experiment; None where its spec asks for none.

    Raises:
        AssemblyError: if no encoder is frozen, or a frozen one is augmented inside.
        CacheError: if the folder cannot be used.
    """
    if spec.cache is None:
        return None
    chosen = _frozen(spec, catalogue, model)
    root = cache_folder(spec.cache.folder)
    passes = canonical_passes(model, frontends, spec.shapes, device=device)
    spaces = {}
    for modality, encoder in chosen.items():
        module = model.encoder(modality)
        assert module is not None
        identity = space_identity(
            spec,
            catalogue,
            modality,
            module,
            device=device,
            rows=passes.encoder_rows(modality),
            frontend=getattr(frontends, modality.value),
        )
        spaces[modality] = FeatureSpace.open(
            root,
            identity,
            kind=spec.kind(modality.value),
            dim=encoder.states_dim,
            dtype=spec.cache.dtype,
            shown={"checkpoint": getattr(getattr(spec, modality.value), "checkpoint", None)},
        )
    return FeatureCache(spec=spec, model=model, frontends=frontends, passes=passes, spaces=spaces, report=report)


def _frozen(spec: ExperimentSpec, catalogue: Catalogue, model: EmotionModel) -> dict[Modality, CacheableEncoder]:
    """The encoders whose states may be kept; one that is trained is not among them."""
    found: dict[Modality, CacheableEncoder] = {}
    reasons = []
    for modality in sorted(reads(spec, catalogue)):
        encoder = model.encoder(modality)
        name = f"`{modality}: {spec.kind(modality.value)}`"
        if not isinstance(encoder, CacheableEncoder):
            reasons.append(f"{name} has no frozen part")
            continue
        obstacle = encoder.obstacle()
        if not obstacle:
            found[modality] = encoder
            continue
        is_trained = any(part.parameter_groups() for _, part in backbones(encoder))
        if not is_trained:
            raise AssemblyError(
                f"`cache` and {name} contradict each other: {obstacle}, so that its states differ from epoch to epoch. "
                "Take that setting out, or leave `cache` out."
            )
        reasons.append(f"{name} is trained: {obstacle}")
    if not found:
        raise AssemblyError(
            f"`cache` must go with a frozen encoder, but {' and '.join(reasons)}. Leave `cache` out, or freeze one."
        )
    return found
