"""Probes of the environment, each in a process of its own, so that a library that crashes is reported and survived.

Torch-free: the libraries probed are imported by the child alone.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

import attrs

SECONDS: Final = 120.0
"""Longest time that one probe may take, s."""

TORCH: Final = """
import json, torch
facts = {"version": torch.__version__, "threads": torch.get_num_threads(), "built_for_cuda": torch.version.cuda}
facts["gpus"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
torch.ones(2, 2) @ torch.ones(2, 2)
print(json.dumps(facts))
"""

TORCHAUDIO: Final = """
import json, torchaudio
from torchaudio.transforms import MelSpectrogram
import torch
MelSpectrogram(n_mels=8)(torch.zeros(1600))
print(json.dumps({"version": torchaudio.__version__}))
"""

TORCHVISION: Final = """
import json, torchvision
from torchvision.ops import nms
import torch
nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
print(json.dumps({"version": torchvision.__version__}))
"""

AUDIO_FILES: Final = """
import io, json
import numpy as np, soundfile, soxr
tone = np.sin(np.arange(4800) * 0.05).astype("float32")
soxr.resample(tone, 48000, 16000)
unreadable = []
for name, format, subtype in (
    ("WAV", "WAV", "PCM_16"), ("FLAC", "FLAC", "PCM_16"), ("Opus", "OGG", "OPUS"), ("MP3", "MP3", "MPEG_LAYER_III"),
):
    try:
        buffer = io.BytesIO()
        soundfile.write(buffer, tone, 48000, format=format, subtype=subtype)
        buffer.seek(0)
        soundfile.read(buffer)
    except Exception:
        unreadable.append(name)
versions = {"soundfile": soundfile.__version__, "soxr": soxr.__version__}
print(json.dumps({**versions, "libsndfile": soundfile.__libsndfile_version__, "unreadable": unreadable}))
"""

PRETRAINED: Final = """
import json, os, sys
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
import huggingface_hub, peft, safetensors, transformers
from huggingface_hub import constants
from transformers import PreTrainedModel
facts = {module.__name__: module.__version__ for module in (huggingface_hub, peft, safetensors, transformers)}
print(json.dumps({**facts, "cache": constants.HF_HUB_CACHE}))
"""


@attrs.frozen(kw_only=True)
class Probe:
    """What a child process said.

    Attributes:
        facts: The JSON object on the last line of its output; empty where it failed.
        failure: Why it failed, one line; empty where it did not.
    """

    facts: Mapping[str, Any]
    failure: str = ""


def probe(source: str, *, seconds: float = SECONDS) -> Probe:
    """Run Python source in a fresh interpreter; its last line of output must be a JSON object."""
    try:
        done = subprocess.run(  # noqa: S603  # our own source, constant
            [sys.executable, "-c", source],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Probe(facts={}, failure=_too_slow(seconds))
    if done.returncode:
        return Probe(facts={}, failure=_last_words(done.returncode, done.stderr))
    return Probe(facts=json.loads(done.stdout.strip().splitlines()[-1]))


def _too_slow(seconds: float) -> str:
    return f"it did not finish within {seconds:g} s"


def _last_words(code: int, stderr: str) -> str:
    if code < 0:
        return f"the interpreter was killed by {signal.Signals(-code).name}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else f"the interpreter left with code {code}"


def broken_requirements(*, seconds: float = SECONDS) -> Probe:
    """The lines of `pip check` about the distributions that VietMER stands on, as `broken`; none without pip."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "check"],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )
    except subprocess.TimeoutExpired:
        return Probe(facts={}, failure=_too_slow(seconds))
    ours = ("vietmer-", "torch ", "torchaudio ", "torchvision ")
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith(ours)]
    return Probe(facts={"broken": lines if done.returncode else []})


def gpus_of_machine() -> list[str]:
    """The GPUs that the NVIDIA driver names, whatever torch can do with them; none where there is no driver."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603  # found on PATH, constant arguments
            [command, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
