"""Reading specs, listing plugins and showing help must never wait for torch."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CORE_MODULES = (
    "vietmer_core.ablation.planning",
    "vietmer_core.ablation.results",
    "vietmer_core.ablation.search.running",
    "vietmer_core.ablation.worker",
    "vietmer_core.ablation_results.page",
    "vietmer_core.ablation_results.showing",
    "vietmer_core.audit.verdicts",
    "vietmer_core.augment.factory",
    "vietmer_core.augment.fingerprint",
    "vietmer_core.builtin",
    "vietmer_core.cache.space",
    "vietmer_core.catalogue",
    "vietmer_core.cli.main",
    "vietmer_core.cli.training_view",
    "vietmer_core.comparison.comparing_runs",
    "vietmer_core.comparison.showing",
    "vietmer_core.components",
    "vietmer_core.crosscorpus.entries",
    "vietmer_core.crosscorpus.specs",
    "vietmer_core.data.manifest",
    "vietmer_core.data.utterance",
    "vietmer_core.doctor",
    "vietmer_core.error_browser.page",
    "vietmer_core.errors",
    "vietmer_core.hooks",
    "vietmer_core.known",
    "vietmer_core.nn.spec_augment_params",
    "vietmer_core.plugins",
    "vietmer_core.records",
    "vietmer_core.reporting.data_facts",
    "vietmer_core.reporting.evidence",
    "vietmer_core.reporting.worst",
    "vietmer_core.shapes",
    "vietmer_core.spec",
    "vietmer_core.spec_augmentation",
    "vietmer_core.spec_files",
    "vietmer_core.spec_loading",
    "vietmer_core.splitting.printing",
    "vietmer_core.splitting.protocol",
    "vietmer_core.tracking",
    "vietmer_core.training.run_spec",
)
PLUGIN_MODULES = sorted(
    target
    for file in ROOT.glob("plugins/*/pyproject.toml")
    for target in tomllib.loads(file.read_text(encoding="utf-8"))["project"]["entry-points"]["vietmer"].values()
)
HEAVY = ("torch", "torchaudio", "torchvision", "transformers", "sklearn", "matplotlib")

REPORT = "import sys; print(','.join(name for name in {heavy!r} if name in sys.modules))"


def heavy_after(source: str) -> str:
    """The heavy libraries that a fresh interpreter holds after running a piece of source."""
    report = REPORT.format(heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", f"{source}\n{report}"], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def run_command(*arguments: str) -> str:
    return (
        "import contextlib, io, sys\n"
        f"sys.argv = {['vietmer', *arguments]!r}\n"
        "from vietmer_core.cli.main import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    app()\n"
    )


@pytest.mark.parametrize("module", CORE_MODULES)
def test_core_modules_of_the_torch_free_zone_leave_torch_alone(module: str) -> None:
    assert heavy_after(f"import {module}") == ""


@pytest.mark.parametrize("module", PLUGIN_MODULES)
def test_plugin_modules_leave_torch_alone(module: str) -> None:
    assert heavy_after(f"import {module}") == ""


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["plugins", "--json"], ["doctor", "--help"]])
def test_light_commands_leave_torch_alone(arguments: list[str]) -> None:
    assert heavy_after(run_command(*arguments)) == ""


def test_validating_a_spec_leaves_torch_alone() -> None:
    source = (
        "from vietmer_core.spec import ExperimentSpec\n"
        "ExperimentSpec.model_validate({'labels': ['a', 'b'], 'data': {'train': 'a.jsonl', 'valid': 'b.jsonl'},\n"
        " 'text': 'syllable', 'fusion': 'text_only', 'pooler': 'mean', 'sampler': 'uniform'})\n"
    )
    assert heavy_after(source) == ""


def test_the_check_itself_sees_torch() -> None:
    assert heavy_after("import vietmer_core.sequence") == "torch"


def test_every_plugin_module_of_the_house_is_covered() -> None:
    assert len(PLUGIN_MODULES) == len(list(ROOT.glob("plugins/*/pyproject.toml"))) > 0
