"""`ExperimentSpec`: everything an experiment is, validated without torch.

A component entry is flat: `fusion: {kind: xattn, num_heads: 8}`. Its parameters are validated by the plugin that offers
the kind, and the plugin's errors are merged into the spec's own, each located (`fusion.num_heads`).
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic import ValidationInfo as Info
from pydantic_core import InitErrorDetails, PydanticCustomError

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.components import Modality, Role
from vietmer_core.errors import PluginError

CATALOGUE_KEY: Final = "catalogue"
SPLITS: Final = ("train", "valid", "test")
COMPONENT_FIELDS: Final[Mapping[str, Role]] = {
    role.value: role for role in (Role.TEXT, Role.AUDIO, Role.FUSION, Role.POOLER, Role.HEAD, Role.LOSS, Role.SAMPLER)
}


def catalogue_of(info: Info) -> Catalogue:
    """The catalogue given as validation context, or the installed one."""
    context = cast("Mapping[str, Any]", info.context or {})
    return cast("Catalogue", context.get(CATALOGUE_KEY) or installed_catalogue())


def _located(kind: str, message: str, *, loc: tuple[str | int, ...], value: object) -> ValidationError:
    details = InitErrorDetails(
        type=PydanticCustomError(kind, "{sentence}", {"sentence": message}), loc=loc, input=value
    )
    return ValidationError.from_exception_data("ExperimentSpec", [details])


def _component(role: Role) -> Callable[[object, Info], BaseModel]:
    def validate(value: object, info: Info) -> BaseModel:
        if isinstance(value, BaseModel):
            value = value.model_dump()
        if isinstance(value, str):
            value = {"kind": value}
        if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
            rule = "must be a mapping with a `kind`, such as `{kind: …}`"
            raise PydanticCustomError("component", "{sentence}", {"sentence": f"{rule}, but is {value!r} instead."})
        try:
            component = catalogue_of(info).component(role, value["kind"])
        except PluginError as error:
            raise _located("unknown_kind", str(error), loc=("kind",), value=value["kind"]) from None
        return component.params.model_validate(value)

    return validate


class Strict(BaseModel):
    """Frozen, and no unknown field passes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ComponentParams = SerializeAsAny[BaseModel]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]


class ManifestSpec(Strict):
    """One manifest of a split: a file, or a split of an installed corpus.

    Attributes:
        path: A JSONL file; relative to the spec file that names it.
        corpus: Instead of a path, an installed corpus, such as `{kind: demo, split: train}`.
        root: Folder that `wav_path` is relative to; the manifest's own folder by default.
        label_map: From labels of the manifest to labels of the spec; null leaves the rows of a label out.
    """

    path: Path | None = None
    corpus: Annotated[ComponentParams, PlainValidator(_component(Role.CORPUS))] | None = None
    root: Path | None = None
    label_map: dict[str, str | None] = {}

    @model_validator(mode="after")
    def _one_source(self) -> "ManifestSpec":
        if (self.path is None) == (self.corpus is None):
            raise PydanticCustomError("source", "must name either `path` or `corpus`, exactly one of them.")
        return self


def _as_manifests(value: object) -> object:
    """`train: a.jsonl`, `train: {path: …}` and `train: [a.jsonl, …]` all make a list of entries."""
    entries = value if isinstance(value, list | tuple) else [value]
    return [{"path": entry} if isinstance(entry, str | Path) else entry for entry in entries]


SplitSpec = Annotated[tuple[ManifestSpec, ...], BeforeValidator(_as_manifests), Field(min_length=1)]


class DataSpec(Strict):
    """The splits, and how their audio is read.

    Attributes:
        train: Manifests of the training split.
        valid: Manifests of the validation split: chooses the checkpoint and stops the training.
        test: Manifests of the test split: never read in training.
        channel: `mono` refuses files of several channels, `mix` averages the channels, a number takes one (from 0).
        fingerprint: `content` hashes the audio files, `size` only their names and sizes.
    """

    train: SplitSpec
    valid: SplitSpec
    test: SplitSpec | None = None
    channel: Literal["mono", "mix"] | Annotated[int, Field(ge=0)] = "mono"
    fingerprint: Literal["content", "size"] = "content"

    def splits(self) -> Iterator[tuple[str, tuple[ManifestSpec, ...]]]:
        """Each split that the spec names, with its manifests."""
        for name in SPLITS:
            manifests = getattr(self, name)
            if manifests is not None:
                yield name, manifests


class LoaderSpec(Strict):
    """How utterances reach the model.

    Attributes:
        workers: Processes that read and prepare utterances; 0 does it in the training process.
        start_method: How workers start; `spawn` works everywhere, `fork` starts faster on Linux.
        cache_mib: Memory for prepared utterances, MiB for each process; 0 keeps none.
    """

    workers: Annotated[int, Field(ge=0)] = 0
    start_method: Literal["spawn", "fork", "forkserver"] = "spawn"
    cache_mib: Annotated[int, Field(ge=0)] = 0


class TrainingSpec(Strict):
    """Optimisation: AdamW with a warm-up and a schedule, both counted in steps (Loshchilov and Hutter 2019).

    Attributes:
        epochs: Passes over the training split at most.
        learning_rate: Peak learning rate of every part not named in `learning_rates`.
        learning_rates: Peak learning rates of single parts.
        weight_decay: Decoupled weight decay of matrices; biases, norms and other vectors have none.
        schedule: Learning rate after the warm-up.
        warmup: Share of all steps over which the rate rises linearly from 0.
        gradient_clip: Largest norm of the gradient; null clips nothing.
        monitor: Validation metric that chooses the best checkpoint.
        patience: Epochs without a better score after which training stops; null never stops early.
        checkpoint_every: Steps between periodic checkpoints; null writes one an epoch.
        keep_checkpoints: Periodic checkpoints kept.
        device: `auto` takes a GPU where there is one.
    """

    epochs: PositiveInt = 50
    learning_rate: PositiveFloat = 2e-4
    learning_rates: dict[Literal["text", "audio", "fusion", "pooler", "head"], PositiveFloat] = {}
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    gradient_clip: PositiveFloat | None = 1.0
    monitor: Literal["macro_f1", "balanced_accuracy", "accuracy", "loss"] = "macro_f1"
    patience: PositiveInt | None = 10
    checkpoint_every: PositiveInt | None = None
    keep_checkpoints: PositiveInt = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"


class ExperimentSpec(Strict):
    """One experiment: data → encoders → fusion → pooler → head, its loss, its order of data and its optimisation.

    Attributes:
        name: Names the run folder.
        labels: The label space; logits and probabilities follow this order.
        label_field: The manifest field that holds the label.
        seed: Seed of the initial weights, of dropout and of the order of the data.
        threads: CPU threads of one process; null takes torch's own choice (the cores, or
            `OMP_NUM_THREADS`). Recorded resolved, since the last digit
            of some gradients depends on it.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "experiment"
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    label_field: str = "emotion"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    threads: PositiveInt | None = None
    data: DataSpec
    text: Annotated[ComponentParams, PlainValidator(_component(Role.TEXT))] | None = None
    audio: Annotated[ComponentParams, PlainValidator(_component(Role.AUDIO))] | None = None
    fusion: Annotated[ComponentParams, PlainValidator(_component(Role.FUSION))]
    pooler: Annotated[ComponentParams, PlainValidator(_component(Role.POOLER))]
    head: Annotated[ComponentParams, PlainValidator(_component(Role.HEAD))] = Field(
        default_factory=lambda: {"kind": "mlp"}, validate_default=True
    )
    loss: Annotated[ComponentParams, PlainValidator(_component(Role.LOSS))] = Field(
        default_factory=lambda: {"kind": "cross_entropy"}, validate_default=True
    )
    sampler: Annotated[ComponentParams, PlainValidator(_component(Role.SAMPLER))]
    loader: LoaderSpec = LoaderSpec()
    training: TrainingSpec = TrainingSpec()

    @model_validator(mode="after")
    def _fits_together(self, info: Info) -> "ExperimentSpec":
        document = {"fusion": {"kind": self.kind("fusion")}, "text": self.text, "audio": self.audio}
        for field, message in missing_encoders(document, catalogue_of(info)):
            raise _located("missing_encoder", message, loc=(field,), value=None)
        for loc, message in self._label_problems():
            raise _located("label", message, loc=loc, value=None)
        return self

    def _label_problems(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for label in self.labels:
            if self.labels.count(label) > 1:
                yield ("labels",), f"must be distinct, but `{label}` occurs {self.labels.count(label)} times instead."
                return
        for split, manifests in self.data.splits():
            for index, manifest in enumerate(manifests):
                for source, target in manifest.label_map.items():
                    if target is not None and target not in self.labels:
                        rule = f"must map to one of {', '.join(self.labels)} or null, but is `{target}` instead."
                        yield ("data", split, index, "label_map", source), rule

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
            installed = ", ".join(catalogue.kinds(Role(modality))) or "none"
            yield (
                modality,
                f"`fusion: {kind}` reads {modality}, but the spec has no {modality} encoder; installed: {installed}.",
            )


def reads(spec: ExperimentSpec, catalogue: Catalogue) -> frozenset[Modality]:
    """The modalities that the model of a spec reads."""
    return catalogue.component(Role.FUSION, spec.kind("fusion")).modalities
