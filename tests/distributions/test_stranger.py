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


def build(params, *, text_dim, audio_dim):
    from stranger_sum.fusion import SumFusion

    return SumFusion(text_dim=text_dim, audio_dim=audio_dim, dim=params.dim)


@hookimpl
def register_components():
    return [
        Component(
            role=Role.FUSION,
            params=SumParams,
            build=build,
            summary="Adds what was heard to every word.",
            licence="MIT",
            tiny={"dim": 6},
        )
    ]
"""

FUSION = '''
from typing import final

import torch
from torch import nn

from vietmer_core.nn.packing import concatenate_in_time


@final
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
        mean = heard.features.sum(dim=1) / COUNT
        words = text.with_features(self.dropout(self.text(text.features) + mean[:, None]))
        return (concatenate_in_time(words, heard),)
'''
HONEST_COUNT = "audio.lengths.clamp(min=1)[:, None]"
LEAKY_COUNT = "max(audio.features.shape[1], 1)"

TEST = """
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.testing import conformance_tests

test_conformance = conformance_tests("fusion", "stranger_sum"{arguments})


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


def _write(project: Path, *, count: str, arguments: str) -> None:
    package = project / "src" / "stranger_sum"
    package.mkdir(parents=True)
    (project / "tests").mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    (package / "fusion.py").write_text(FUSION.replace("COUNT", count), encoding="utf-8")
    (project / "tests" / "test_fusion.py").write_text(TEST.format(arguments=arguments), encoding="utf-8")


def _install(project: Path) -> Path:
    """Build the wheel and install it into a folder of its own."""
    wheels, site = project / "wheels", project / "site"
    made = _run("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels), ".", cwd=project)
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = wheels.glob("*.whl")
    installed = _run("pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel), cwd=project)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return site


def _tested(folder: Path, *, count: str, arguments: str = "") -> tuple[int, str, set[str]]:
    """The exit code and output of pytest in the stranger's project, and the checks that failed."""
    _write(folder, count=count, arguments=arguments)
    site = _install(folder)
    done = _run("pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests", cwd=folder, path=site)
    failed = set(re.findall(r"^FAILED tests/test_fusion\.py::test_conformance\[(\w+)\]", done.stdout, re.MULTILINE))
    return done.returncode, done.stdout + done.stderr, failed


def test_an_honest_plugin_is_found_and_passes(tmp_path: Path) -> None:
    code, output, failed = _tested(tmp_path / "honest", count=HONEST_COUNT)
    assert (code, failed) == (0, set()), output
    assert re.search(r"\b(2\d|3\d) passed", output), output


def test_a_leaky_variation_is_caught_and_only_its_leak_is_excused(tmp_path: Path) -> None:
    excuses = ', expected_failures={"padding_width": "a reason", "params_json": "not so"}'
    code, output, failed = _tested(tmp_path / "leaky", count=LEAKY_COUNT, arguments=excuses)
    assert code == 1, output
    assert {"alone_equals_batch", "parameter_gradients", "input_gradients", "assembled_alone_equals_batch"} <= failed
    assert "padding_width" not in failed
    assert "params_json" in failed
    assert "[XPASS(strict)] not so" in output
    assert not {"padding_content", "torch_free", "eval_deterministic", "equal_lengths"} & failed
