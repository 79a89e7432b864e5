"""A stranger's plugin, outside the repository: built, installed, found, and held to the rules by one line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PYPROJECT = """
[build-system]
requires = ["hatchling>=1.26"]
build-backend = "hatchling.build"

[project]
name = "stranger-sum"
version = "2.5.0"
requires-python = ">=3.11"
dependencies = ["vietmer-core"]

[project.entry-points.vietmer]
stranger = "stranger_sum.plugin"

[tool.hatch.build.targets.wheel]
packages = ["src/stranger_sum"]
"""

PLUGIN = """
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl


class SumParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["stranger_sum"] = "stranger_sum"
    dim: int = Field(default=64, ge=1)


class LeakyParams(SumParams):
    kind: Literal["stranger_leak"] = "stranger_leak"


def build(params, *, text_dim, audio_dim):
    from stranger_sum import fusion

    kind = fusion.LeakySum if params.kind == "stranger_leak" else fusion.HonestSum
    return kind(text_dim=text_dim, audio_dim=audio_dim, dim=params.dim)


def component(params):
    summary = "Adds what was heard to every word."
    return Component(
        role=Role.FUSION, params=params, build=build, summary=summary, licence="MIT", tiny={"dim": 6}
    )


@hookimpl
def register_components():
    return [component(SumParams), component(LeakyParams)]
"""

FUSION = '''
from typing import final

import torch
from torch import nn

from vietmer_core.nn.packing import concatenate_in_time


class SumFusion(nn.Module):
    """Adds the mean of what was heard to every word, and keeps what was heard after the words."""

    def __init__(self, *, text_dim, audio_dim, dim):
        super().__init__()
        self.output_dims = (dim,)
        self.text = nn.Linear(text_dim, dim)
        self.audio = nn.Linear(audio_dim, dim)
        self.dropout = nn.Dropout(0.2)

    def forward(self, *, text, audio):
        heard = audio.with_features(self.audio(audio.features)).zeroed()
        mean = heard.features.sum(dim=1) / self.count(audio)
        words = text.with_features(self.dropout(self.text(text.features) + mean[:, None]))
        return (concatenate_in_time(words, heard),)


@final
class HonestSum(SumFusion):
    def count(self, audio):
        return audio.lengths.clamp(min=1)[:, None]


@final
class LeakySum(SumFusion):
    def count(self, audio):
        return max(audio.features.shape[1], 1)
'''

TEST = """
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.testing import conformance_tests

test_honest = conformance_tests("fusion", "stranger_sum")
test_leaky = conformance_tests(
    "fusion", "stranger_leak", expected_failures={"padding_width": "a reason", "params_json": "not so"}
)


def test_the_plugin_is_found():
    assert str(installed_catalogue().origin(Role.FUSION, "stranger_sum")) == "stranger-sum 2.5.0"
"""


def _run(*command: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    dropped = ("PYTHONPATH", "VIETMER_STRICT_PLUGINS", "HYPOTHESIS_PROFILE")
    environment = {
        name: value for name, value in os.environ.items() if name not in dropped and not name.startswith("PYTEST")
    }
    environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INDEX": "1", "OMP_NUM_THREADS": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def _write(project: Path) -> None:
    package = project / "src" / "stranger_sum"
    package.mkdir(parents=True)
    (project / "tests").mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    (package / "fusion.py").write_text(FUSION, encoding="utf-8")
    (project / "tests" / "test_fusion.py").write_text(TEST, encoding="utf-8")


def _install(project: Path) -> Path:
    """Build the wheel and install it into a folder of its own."""
    wheels, site = project / "wheels", project / "site"
    made = _run("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels), ".", cwd=project)
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = wheels.glob("*.whl")
    installed = _run("pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel), cwd=project)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return site


def _failed(output: str, test: str) -> set[str]:
    """The checks that failed in one of the stranger's tests."""
    return set(re.findall(rf"^FAILED tests/test_fusion\.py::{test}\[(\w+)\]", output, re.MULTILINE))


def test_a_strangers_plugin_is_found_held_to_the_rules_and_only_its_leak_is_excused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    _write(project)
    site = _install(project)
    done = _run("pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests", cwd=project, path=site)
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "test_the_plugin_is_found" not in output
    assert _failed(output, "test_honest") == set(), output
    assert re.search(r"\b[4-7]\d passed", output), output
    failed = _failed(output, "test_leaky")
    assert {"alone_equals_batch", "parameter_gradients", "input_gradients", "assembled_alone_equals_batch"} <= failed
    assert "padding_width" not in failed
    assert "params_json" in failed
    assert "[XPASS(strict)] not so" in output
    assert not {"padding_content", "torch_free", "eval_deterministic", "equal_lengths"} & failed
