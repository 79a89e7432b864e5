from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from vietmer_audio_whisper.encoder import WhisperAudioEncoder
from vietmer_audio_whisper.factory import make_encoder, make_frontend
from vietmer_audio_whisper.frontend import WhisperFrontend
from vietmer_audio_whisper.params import WhisperParams

REAL = Path(__file__).parents[4] / "shared" / "models" / "whisper-tiny-en"


@pytest.fixture(scope="session")
def real_whisper() -> str:
    """The folder of the real weights of whisper-tiny.en."""
    if not REAL.is_dir():
        pytest.skip("the real weights of whisper-tiny.en are not beside the repository")
    return str(REAL)


@pytest.fixture(scope="session")
def one_second() -> str:
    """The folder of a tiny network that reads 1 s at once, without weights."""
    return str(Path(__file__).parent / "one_second")


@pytest.fixture(scope="session")
def whisper_of() -> Callable[..., tuple[WhisperFrontend, WhisperAudioEncoder]]:
    """Makes a frontend and an encoder in float64 and evaluation mode, from fields of the parameters."""

    def made(fields: dict[str, Any]) -> tuple[WhisperFrontend, WhisperAudioEncoder]:
        params = WhisperParams.model_validate(fields)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            return make_frontend(params), make_encoder(params).double().eval()

    return made


@pytest.fixture(scope="session")
def speech() -> Callable[..., Tensor]:
    """Makes a waveform whose loudness and pitch move, as speech's do."""

    def waveform(seconds: float, *, seed: int = 0) -> Tensor:
        num_samples = round(seconds * 16_000)
        generator = torch.Generator().manual_seed(seed)
        time = torch.arange(num_samples) / 16_000
        pitch = 2 * torch.pi * (120 + 20 * seed + 40 * torch.sin(2 * time)) * time
        voice = sum((torch.sin(k * pitch) / k for k in range(1, 9)), start=torch.zeros(num_samples))
        loudness = 0.02 + 0.2 * torch.sin(3 * time + seed).abs()
        return loudness * voice + 0.005 * torch.randn(num_samples, generator=generator)

    return waveform
