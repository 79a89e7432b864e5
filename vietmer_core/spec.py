"""`ExperimentSpec`: everything an experiment is, validated without torch.

A component entry is flat: `fusion: {kind: xattn, num_heads: 8}`. Its parameters are validated by the plugin that offers
the kind, and the plugin's errors are merged into the spec's own, each located (`fusion.num_heads`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    field_validator,
    model_validator,
)
from pydantic import ValidationInfo as Info
from pydantic_core import PydanticCustomError

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality, Role
from vietmer_core.errors import PluginError
from vietmer_core.spec_augmentation import AugmentSpec, dropped_in_vain
from vietmer_core.spec_fields import (
    DEFAULT_KINDS,
    ComponentParams,
    Count,
    Fault,
    FilePath,
    PositiveInt,
    Text,
    as_entries,
    catalogue_of,
    component_of,
    distinct,
    distinct_kinds,
    folder_name,
    kinds_on_offer,
    located,
    not_a_switch,
    stated,
)
from vietmer_core.spec_label_maps import LabelMap, unknown_targets
from vietmer_core.spec_training import CacheSpec as CacheSpec  # noqa: PLC0414  # part of a spec
from vietmer_core.spec_training import InitialiseSpec as InitialiseSpec  # noqa: PLC0414  # as above
from vietmer_core.spec_training import LoaderSpec as LoaderSpec  # noqa: PLC0414  # as above
from vietmer_core.spec_training import ShapesSpec as ShapesSpec  # noqa: PLC0414  # as above
from vietmer_core.spec_training import Strict, as_cache
from vietmer_core.spec_training import TrainingSpec as TrainingSpec  # noqa: PLC0414  # as above

SPLITS: Final = ("train", "valid", "test")
COMPONENT_FIELDS: Final[Mapping[str, Role]] = {
    role.value: role for role in (Role.TEXT, Role.AUDIO, Role.FUSION, Role.POOLER, Role.HEAD, Role.LOSS, Role.SAMPLER)
}
LISTED_FIELDS: Final[Mapping[str, Role]] = {"trackers": Role.TRACKER}
"""The fields that take a component or a list of them."""


class ManifestSpec(Strict):
    """One manifest of a split: a file, or a split of an installed corpus.

    Attributes:
        path: A JSONL file; relative to the spec file that names it.
        corpus: Instead of a path, an installed corpus, such as `{kind: demo, split: train}`.
        root: Folder that `wav_path` is relative to; the manifest's own folder by default.
        label_map: From labels of the manifest to labels of the spec; null leaves the rows of a label out. Or the name
            of a label map, such as `mer5`, which maps each row by its field `corpus`.
    """

    path: FilePath | None = None
    corpus: Annotated[ComponentParams, PlainValidator(component_of(Role.CORPUS))] | None = None
    root: FilePath | None = None
    label_map: LabelMap = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> "ManifestSpec":
        if (self.path is None) == (self.corpus is None):
            named = "neither" if self.path is None else "both"
            raise stated(f"must name a `path` or a `corpus`, exactly one of them, but names {named} instead.")
        return self


def _as_manifest(value: object) -> object:
    if isinstance(value, str | Path):
        return {"path": value}
    if not isinstance(value, Mapping | ManifestSpec):
        raise PydanticCustomError("manifest", "the path of a file, or a mapping with a `path` or a `corpus`")
    return value


def _as_manifests(value: object) -> object:
    """`train: a.jsonl`, `train: {path: …}` and `train: [a.jsonl, …]` all make a list of entries."""
    return value if isinstance(value, list | tuple) else [value]


SplitSpec = Annotated[
    tuple[Annotated[ManifestSpec, BeforeValidator(_as_manifest)], ...],
    Field(min_length=1),
    BeforeValidator(_as_manifests),
]


class DataSpec(Strict):
    """The splits, and how their audio is read.

    Attributes:
        train: Manifests of the training split.
        valid: Manifests of the validation split: chooses the checkpoint and stops the training.
        test: Manifests of the test split: never read in training.
        channel: `mono` refuses files of several channels, `mix` averages the channels, a number takes one (from 0).
        fingerprint: `content` hashes the audio files, `size` only their names and sizes.
        faults: What becomes of a training utterance whose audio or transcript cannot be used: `fail` ends the run and
            names it, `skip` leaves it out, counts it and lists it in the run folder. Other splits always fail.
    """

    train: SplitSpec
    valid: SplitSpec
    test: SplitSpec | None = None
    channel: Literal["mono", "mix"] | Count = "mono"
    fingerprint: Literal["content", "size"] = "content"
    faults: Literal["fail", "skip"] = "fail"

    def splits(self) -> Iterator[tuple[str, tuple[ManifestSpec, ...]]]:
        """Each split that the spec names, with its manifests."""
        for name in SPLITS:
            manifests = getattr(self, name)
            if manifests is not None:
                yield name, manifests


class ExperimentSpec(Strict):
    """One experiment: data → encoders → fusion → pooler → head, its loss, its order of data and its optimisation.

    Attributes:
        name: Names the run folder.
        labels: The label space; logits and probabilities follow this order.
        label_field: The manifest field that holds the label.
        soft_label_field: The manifest field that holds a soft label, a mapping from label to probability, which the
            loss then takes; null trains on hard labels.
        seed: Seed of the initial weights, of dropout and of the order of the data.
        threads: CPU threads of one process; null takes torch's own choice (the cores, or `OMP_NUM_THREADS`). Recorded
            resolved, since the last digit of some gradients depends on it.
        data: The splits.
        text: The text encoder, where the fusion reads text.
        audio: The audio encoder, where the fusion reads audio.
        fusion: What joins the modalities.
        pooler: What makes an embedding of each stream of the fusion.
        head: The classifier.
        loss: The loss.
        sampler: The order of the training split.
        loader: How utterances reach the model.
        shapes: The shapes of the forward passes.
        cache: Keeps the states of frozen encoders; null encodes each utterance in every epoch.
        augment: What is changed of an utterance in training.
        initialise: Runs from which parts of the model take their initial weights.
        training: Optimisation.
        trackers: What watches the run beside the run folder; a tracker that is installed acts only where it is named.
    """

    name: Annotated[str, AfterValidator(folder_name)] = "experiment"
    labels: Annotated[tuple[Text, ...], Field(min_length=2), AfterValidator(distinct)]
    label_field: Text = "emotion"
    soft_label_field: Text | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(not_a_switch)] = 0
    threads: PositiveInt | None = None
    data: DataSpec
    text: Annotated[ComponentParams, PlainValidator(component_of(Role.TEXT))] | None = None
    audio: Annotated[ComponentParams, PlainValidator(component_of(Role.AUDIO))] | None = None
    fusion: Annotated[ComponentParams, PlainValidator(component_of(Role.FUSION))]
    pooler: Annotated[ComponentParams, PlainValidator(component_of(Role.POOLER))]
    head: Annotated[ComponentParams, PlainValidator(component_of(Role.HEAD))] = Field(
        default_factory=lambda: {"kind": DEFAULT_KINDS[Role.HEAD]}, validate_default=True
    )
    loss: Annotated[ComponentParams, PlainValidator(component_of(Role.LOSS))] = Field(
        default_factory=lambda: {"kind": DEFAULT_KINDS[Role.LOSS]}, validate_default=True
    )
    sampler: Annotated[ComponentParams, PlainValidator(component_of(Role.SAMPLER))]
    loader: LoaderSpec = LoaderSpec()
    shapes: ShapesSpec = ShapesSpec()
    cache: Annotated[CacheSpec | None, BeforeValidator(as_cache)] = None
    augment: AugmentSpec = AugmentSpec()
    initialise: InitialiseSpec | None = None
    training: TrainingSpec = TrainingSpec()
    trackers: Annotated[
        tuple[Annotated[ComponentParams, PlainValidator(component_of(Role.TRACKER))], ...],
        BeforeValidator(as_entries),
        AfterValidator(distinct_kinds),
    ] = ()

    @field_validator("data")
    @classmethod
    def _maps_to_labels(cls, data: DataSpec, info: Info) -> DataSpec:
        labels: tuple[str, ...] | None = info.data.get("labels")
        if labels is None:
            return data  # reported themselves
        faults: list[Fault] = [
            ((split, index, "label_map", *steps), sentence)
            for split, manifests in data.splits()
            for index, manifest in enumerate(manifests)
            for steps, sentence in unknown_targets(manifest.label_map, labels)
        ]
        if faults:
            raise located(faults)
        return data

    @model_validator(mode="after")
    def _has_encoders(self, info: Info) -> "ExperimentSpec":
        document = {"fusion": self.kind("fusion"), "text": self.text, "audio": self.audio}
        faults: list[Fault] = [
            ((field,), sentence) for field, sentence in missing_encoders(document, catalogue_of(info))
        ]
        if faults:
            raise located(faults)
        return self

    @model_validator(mode="after")
    def _loss_fits_labels(self) -> "ExperimentSpec":
        """A loss whose parameters have a `check_labels` is held to the label space."""
        check = getattr(self.loss, "check_labels", None)
        if check is not None:
            try:
                check(self.labels)
            except ValueError as error:
                raise located([(("loss",), str(error))]) from None
        return self

    @model_validator(mode="after")
    def _drops_what_is_read(self, info: Info) -> "ExperimentSpec":
        """Modality dropout needs a fusion that reads both modalities."""
        modalities = catalogue_of(info).component(Role.FUSION, self.kind("fusion")).modalities
        faults: list[Fault] = [
            (("augment", "modality_dropout", field), sentence)
            for field, sentence in dropped_in_vain(self.augment.modality_dropout, self.kind("fusion"), modalities)
        ]
        if faults:
            raise located(faults)
        return self

    def kind(self, field: str) -> str:
        """The kind of a component entry; an empty string where the spec has none."""
        return str(getattr(getattr(self, field), "kind", ""))

    def resolved(self) -> dict[str, Any]:
        """Every field with its default filled in, as plain JSON values."""
        return self.model_dump(mode="json")


def missing_encoders(document: Mapping[str, Any], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """The modalities that the fusion reads and no encoder supplies: field and sentence."""
    fusion = document.get("fusion")
    kind = fusion.get("kind") if isinstance(fusion, Mapping) else fusion
    if not isinstance(kind, str) or kind not in catalogue.kinds(Role.FUSION):
        return
    try:
        modalities = catalogue.component(Role.FUSION, kind).modalities
    except PluginError:
        return  # offered twice: reported at the field itself
    for modality in sorted(modalities):
        if document.get(modality) is None:
            offer = kinds_on_offer(Role(modality), catalogue)
            yield modality, f"is required, since `fusion: {kind}` reads {modality}; {offer}"


def reads(spec: ExperimentSpec, catalogue: Catalogue) -> frozenset[Modality]:
    """The modalities that the model of a spec reads."""
    return catalogue.component(Role.FUSION, spec.kind("fusion")).modalities
