"""The sections of a spec that say how a model is trained: loader, shapes, cache, optimisation. Torch-free."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vietmer_core.spec_fields import Count, FilePath, PositiveFloat, PositiveInt, not_a_switch


class Strict(BaseModel):
    """Frozen, and no unknown field passes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LoaderSpec(Strict):
    """How utterances reach the model.

    Attributes:
        workers: Processes that read and prepare utterances; 0 does it in the training process.
        start_method: How workers start; `spawn` works everywhere, `fork` starts faster on Linux.
        cache_mib: Memory for prepared utterances, MiB for each split in each process; 0 keeps none.
    """

    workers: Count = 0
    start_method: Literal["spawn", "fork", "forkserver"] = "spawn"
    cache_mib: Count = 0


class ShapesSpec(Strict):
    """The shapes of the forward passes (`vietmer_core.canonical`).

    Attributes:
        prediction: `canonical` pads each utterance to edges of its own lengths and gives each pass a fixed number of
            rows, so that an utterance's probabilities do not differ by one bit between batches; `padded` pads each
            batch to its longest utterance.
        training: The same choice for the passes of training.
        frames_per_pass: Padded audio frames of 20 ms in a canonical pass, which has as many rows as they hold (a power
            of two, up to 64); null is one row on a CPU, 8192 frames on a GPU.
            On a CPU several rows need `threads: 1` and widths that are multiples of 32; elsewhere a pass has one.
        tokens_per_pass: Padded tokens in a canonical pass, likewise; null is one row on a CPU, 2048 tokens on a GPU.
    """

    prediction: Literal["canonical", "padded"] = "canonical"
    training: Literal["canonical", "padded"] = "padded"
    frames_per_pass: PositiveInt | None = None
    tokens_per_pass: PositiveInt | None = None


class CacheSpec(Strict):
    """Where the states of frozen encoders are kept, so that each utterance is encoded once.

    Attributes:
        folder: Of the cache; by default `VIETMER_CACHE`, or the user's folder for caches.
        dtype: Of the states kept: `fp32` keeps every bit, `fp16` and `bf16` take half the space.
    """

    folder: FilePath | None = None
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32"


def as_cache(value: object) -> object:
    """`cache: FOLDER` is short for `cache: {folder: FOLDER}`."""
    return {"folder": value} if isinstance(value, str | Path) else value


class InitialiseSpec(Strict):
    """Runs from whose best checkpoints parts of the model take their initial weights.

    Attributes:
        text: The run folder that the text encoder begins from; its own initial weights where null.
        audio: That of the audio encoder.
        fusion: That of the fusion.
        pooler: That of the poolers.
        head: That of the classifier; the runs must share the label space.
    """

    text: FilePath | None = None
    audio: FilePath | None = None
    fusion: FilePath | None = None
    pooler: FilePath | None = None
    head: FilePath | None = None


class TrainingSpec(Strict):
    """Optimisation: AdamW with a warm-up and a schedule, both counted in steps (Loshchilov and Hutter 2019).

    Attributes:
        epochs: Passes over the training split at most.
        learning_rate: Peak learning rate of every part not named in `learning_rates`.
        learning_rates: Peak learning rates of single parts; `text.pretrained` and `audio.pretrained` are weights that
            came with a checkpoint, 5e-6 by default.
        layer_decay: A pretrained layer's rate is this times that of the layer above it; 1 gives all the same.
        weight_decay: Decoupled weight decay of matrices; biases, norms and other vectors have none.
        schedule: Learning rate after the warm-up.
        warmup: Share of all steps over which the rate rises linearly from 0.
        gradient_clip: Largest norm of the gradient; null clips nothing.
        dropout: `batch` draws over the padded batch, as torch does; `utterance` for each utterance by itself, so that
            what it drops does not depend on its neighbours.
        monitor: Validation metric that chooses the best checkpoint.
        patience: Epochs without a better score after which training stops; null never stops early.
        checkpoint_every: Steps between periodic checkpoints; null writes one an epoch.
        keep_checkpoints: Periodic checkpoints kept.
        device: `auto` takes a GPU where there is one.
        precision: Of the forward passes of training (`torch.autocast`); weights, loss and optimiser stay in fp32, and
            so do validation and prediction. `fp16` scales the loss and needs a GPU.
        batches_per_step: Batches of the sampler that one step of the optimiser takes, over all processes together
            (gradient accumulation); null is one for each process, and is recorded resolved.
        micro_batch: Utterances of one forward pass at most; a larger batch is cut, which changes nothing but rounding
            (and what `dropout: batch` draws). Null cuts nothing.
        auto_batch: Where `micro_batch` is null, finds the largest that the memory holds, and records it.
        sharding: `fsdp` shares weights, gradients and optimiser states out among several GPUs.
        deterministic: Uses torch's deterministic algorithms, or refuses what has none.
    """

    epochs: PositiveInt = 50
    learning_rate: PositiveFloat = 2e-4
    learning_rates: dict[
        Literal["text", "text.pretrained", "audio", "audio.pretrained", "fusion", "pooler", "head"], PositiveFloat
    ] = {}
    layer_decay: Annotated[float, Field(gt=0, le=1), BeforeValidator(not_a_switch)] = 1.0
    weight_decay: Annotated[float, Field(ge=0), BeforeValidator(not_a_switch)] = 0.01
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1), BeforeValidator(not_a_switch)] = 0.1
    gradient_clip: PositiveFloat | None = 1.0
    dropout: Literal["batch", "utterance"] = "batch"
    monitor: Literal["macro_f1", "weighted_f1", "balanced_accuracy", "accuracy", "loss"] = "macro_f1"
    patience: PositiveInt | None = 10
    checkpoint_every: PositiveInt | None = None
    keep_checkpoints: PositiveInt = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    batches_per_step: PositiveInt | None = None
    micro_batch: PositiveInt | None = None
    auto_batch: bool = False
    sharding: Literal["none", "fsdp"] = "none"
    deterministic: bool = True
