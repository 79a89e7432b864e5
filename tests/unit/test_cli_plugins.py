import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vietmer_core.errors import EXIT_PLUGIN
from vietmer_core.plugins import STRICT_VARIABLE

COMMAND = "import sys; sys.argv[0] = 'vietmer'; from vietmer_core.cli.main import app; app()"


def vietmer(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a user does."""
    dropped = (STRICT_VARIABLE, "COLUMNS", "PYTHONDONTWRITEBYTECODE")
    inherited = {name: value for name, value in os.environ.items() if name not in dropped}
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, "PYTHONIOENCODING": "utf-8", **environment},
    )


@pytest.fixture
def broken_site(tmp_path: Path) -> str:
    """A folder with a distribution whose plugin cannot be imported."""
    (tmp_path / "vietmer_fusion_quux.py").write_text("import quux_is_nowhere\n", encoding="utf-8")
    info = tmp_path / "vietmer_fusion_quux-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vietmer-fusion-quux\nVersion: 9.9\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[vietmer]\nfusion-quux = vietmer_fusion_quux\n", encoding="utf-8")
    return str(tmp_path)


def test_json_lists_every_component_with_its_distribution_and_licences() -> None:
    document = json.loads(vietmer("plugins", "--json").stdout)
    assert document["broken"] == []
    rows = {(row["role"], row["kind"]): row for row in document["components"]}
    mean = rows["pooler", "mean"]
    assert mean == {
        "role": "pooler",
        "kind": "mean",
        "distribution": "vietmer-core",
        "version": mean["version"],
        "licence": "Apache-2.0",
        "weights_licence": None,
        "weights_licences": {},
        "data_licence": None,
        "summary": "Mean over the real frames.",
    }
    assert rows["fusion", "xattn"]["distribution"] == "vietmer-fusion-xattn"
    assert rows["corpus", "demo"]["data_licence"]


@pytest.mark.parametrize("columns", ["40", "80", "120", "130", "140", "150", "200"])
def test_nothing_is_cut_off_on_any_terminal(columns: str) -> None:
    shown = vietmer("plugins", COLUMNS=columns).stdout
    words = set(shown.split())
    for row in json.loads(vietmer("plugins", "--json").stdout)["components"]:
        assert row["distribution"] in words
        assert row["kind"] in words
        assert set(row["summary"].split()) <= words
    assert "…" not in shown


def test_a_wide_terminal_gets_a_table_and_a_narrow_one_a_list() -> None:
    assert "weights or data" in vietmer("plugins", COLUMNS="200").stdout
    assert "weights or data" not in vietmer("plugins", COLUMNS="80").stdout


@pytest.mark.parametrize("columns", ["40", "80", "120", "130", "140", "150", "200"])
def test_no_line_is_wider_than_the_terminal(columns: str) -> None:
    lines = vietmer("plugins", COLUMNS=columns).stdout.splitlines()
    assert [line for line in lines if len(line) > int(columns)] == []


def test_a_broken_plugin_is_listed_with_its_reason(broken_site: str) -> None:
    done = vietmer("plugins", PYTHONPATH=broken_site)
    assert done.returncode == 0
    reason = "ModuleNotFoundError: No module named 'quux_is_nowhere'"
    assert f"broken: plugin `fusion-quux` of vietmer-fusion-quux 9.9: {reason}." in done.stdout
    assert "pooler: mean" in done.stdout  # the others are listed all the same
    document = json.loads(vietmer("plugins", "--json", PYTHONPATH=broken_site).stdout)
    expected = {"name": "fusion-quux", "distribution": "vietmer-fusion-quux", "version": "9.9", "reason": reason}
    assert document["broken"] == [expected]


def test_a_broken_plugin_is_an_error_where_the_strict_variable_is_set(broken_site: str) -> None:
    done = vietmer("plugins", PYTHONPATH=broken_site, **{STRICT_VARIABLE: "1"})
    assert done.returncode == EXIT_PLUGIN
    assert re.match(r"error: plugin `fusion-quux` of vietmer-fusion-quux 9\.9 is broken: ModuleNotFound", done.stderr)
    assert "Traceback" not in done.stderr


def test_an_observer_is_listed_with_its_hooks(tmp_path: Path) -> None:
    source = "from vietmer_core.hooks import hookimpl\n\n@hookimpl\ndef end_epoch(epoch):\n    pass\n"
    (tmp_path / "watcher.py").write_text(source, encoding="utf-8")
    info = tmp_path / "watcher-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: watcher\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[vietmer]\nwatcher = watcher\n", encoding="utf-8")
    assert "observer `watcher` of watcher 1.0: end_epoch" in vietmer("plugins", PYTHONPATH=str(tmp_path)).stdout
