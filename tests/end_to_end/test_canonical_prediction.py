"""Real weights, real speech: the probabilities of an utterance are the same to the bit in every batch and on every way.

The weights of Whisper tiny.en, clips of RAVDESS with sentences of UIT-VSMEC; skipped where they are not there.
"""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch

from vietmer_core.assembly import build_frontends, build_model
from vietmer_core.batch import Batch
from vietmer_core.canonical import canonical_passes
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.data.dataset import UtteranceDataset, collate
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.spec import ExperimentSpec, ShapesSpec
from vietmer_core.spec_loading import load_spec

SHARED: Final = Path(__file__).parents[3] / "shared"
CHECKPOINT: Final = SHARED / "models" / "whisper-tiny-en"
MANIFEST: Final = SHARED / "data" / "paired_ravdess_vsmec" / "test.jsonl"
LABELS: Final = ("angry", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
NUM_UTTERANCES: Final = 6

pytestmark = pytest.mark.skipif(
    not (CHECKPOINT.is_dir() and MANIFEST.is_file()), reason="the shared weights and recordings are not here"
)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ExperimentSpec:
    path = tmp_path_factory.mktemp("real") / "spec.yaml"
    manifest = str(MANIFEST)
    document = {
        "labels": list(LABELS),
        "threads": 1,
        "data": {"train": manifest, "valid": manifest},
        "text": {"kind": "syllable"},
        "audio": {"kind": "whisper", "checkpoint": str(CHECKPOINT), "layers": 2},
        "fusion": {"kind": "xattn", "dim": 128},
        "pooler": "attn",
        "sampler": "uniform",
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_spec([path])


@pytest.fixture(scope="module")
def parts(spec: ExperimentSpec) -> tuple[Any, Any, list[Any]]:
    """The model, its frontends and a few utterances of several lengths, one without audio, one without text."""
    catalogue = installed_catalogue()
    manifest = Manifest.open([ManifestSource(path=MANIFEST)], label_field="emotion", labels=None, require_labels=False)
    frontends = build_frontends(spec, catalogue)
    dataset = UtteranceDataset(manifest, frontends=frontends, labels=None, channel="mono")
    order = np.linspace(0, len(manifest) - 1, NUM_UTTERANCES).astype(int).tolist()
    samples = [dataset[index] for index in order]
    model = build_model(spec, catalogue).eval()
    return model, frontends, samples


def batched(samples: Sequence[Any], chosen: Sequence[int]) -> Batch:
    return collate([samples[place] for place in chosen])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("frames", [None, 800], ids=["one row", "several rows"])
def test_neighbours_change_no_bit(parts: tuple[Any, Any, list[Any]], frames: int | None, dtype: torch.dtype) -> None:
    model, frontends, samples = parts
    shapes = ShapesSpec(frames_per_pass=frames, tokens_per_pass=None if frames is None else 64)
    passes = canonical_passes(model, frontends, shapes, device=torch.device("cpu"))
    narrow = nullcontext() if dtype == torch.float32 else torch.autocast("cpu", dtype=dtype)
    with torch.inference_mode(), narrow:
        alone = [passes.logits([batched(samples, [place])])[0] for place in range(NUM_UTTERANCES)]
        for batch in (range(NUM_UTTERANCES), [5, 0, 5, 3, 2, 2, 1, 4], [3, 1]):
            for place, found in zip(batch, passes.logits([batched(samples, list(batch))]), strict=True):
                assert torch.equal(found, alone[place])


def test_padded_batches_differ_in_the_last_digits(parts: tuple[Any, Any, list[Any]]) -> None:
    model, _, samples = parts
    with torch.inference_mode():
        together = model(batched(samples, range(NUM_UTTERANCES)))
        alone = torch.cat([model(batched(samples, [place])) for place in range(NUM_UTTERANCES)])
    apart = float((together - alone).abs().max())
    assert 0.0 < apart < 1e-4, "the comparison above would pass without canonical shapes"
