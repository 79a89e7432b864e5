"""Which distribution supplies which kind. Torch-free.

The house's rows are generated from `plugins/*/pyproject.toml` by `nox -s known` and a test holds them equal; strangers'
rows are entered by hand after a look at the distribution. A name is never made from a pattern: that invites squatting.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HOUSE_DISTRIBUTIONS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        # generated: begin
        ("audio", "dual"): "vietmer-audio-dual",
        ("audio", "fourier2vec"): "vietmer-audio-fourier2vec",
        ("audio", "wav2vec2"): "vietmer-audio-wav2vec2",
        ("audio", "whisper"): "vietmer-audio-whisper",
        ("corpus", "demo"): "vietmer-corpus-demo",
        ("executor", "ray"): "vietmer-executor-ray",
        ("executor", "slurm"): "vietmer-executor-slurm",
        ("fusion", "audio_only"): "vietmer-fusion-audio-only",
        ("fusion", "bilstm_attn"): "vietmer-fusion-bilstm-attn",
        ("fusion", "cnn_bilstm_attn"): "vietmer-fusion-cnn-bilstm-attn",
        ("fusion", "late"): "vietmer-fusion-late",
        ("fusion", "text_only"): "vietmer-fusion-text-only",
        ("fusion", "xattn"): "vietmer-fusion-xattn",
        ("importer", "audiofolder"): "vietmer-corpora",
        ("importer", "emodb"): "vietmer-corpora",
        ("importer", "iemocap"): "vietmer-corpora",
        ("importer", "meld"): "vietmer-corpora",
        ("importer", "ravdess"): "vietmer-corpora",
        ("importer", "sentiv"): "vietmer-corpora",
        ("importer", "visec"): "vietmer-corpora",
        ("importer", "vlsp"): "vietmer-corpora",
        ("importer", "vnemos"): "vietmer-corpora",
        ("importer", "vsmec"): "vietmer-corpora",
        ("sampler", "length_bucket"): "vietmer-sampler-length-bucket",
        ("sampler", "uniform"): "vietmer-sampler-uniform",
        ("sampler", "weighted"): "vietmer-sampler-weighted",
        ("sampler", "weighted_bucket"): "vietmer-sampler-weighted-bucket",
        ("search", "optuna"): "vietmer-search-optuna",
        ("text", "phobert"): "vietmer-text-phobert",
        ("text", "syllable"): "vietmer-text-syllable",
        ("text", "videberta"): "vietmer-text-videberta",
        ("tracker", "mlflow"): "vietmer-tracker-mlflow",
        ("tracker", "tensorboard"): "vietmer-tracker-tensorboard",
        # generated: end
    }
)

OTHER_DISTRIBUTIONS: Final[Mapping[tuple[str, str], str]] = MappingProxyType({})

KNOWN_DISTRIBUTIONS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {**OTHER_DISTRIBUTIONS, **HOUSE_DISTRIBUTIONS}
)
