import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from vietmer_core.cache.folder import VARIABLE
from vietmer_core.cache.space import FeatureSpace
from vietmer_core.cli.cache import commands, parse_size
from vietmer_core.errors import EXIT_FOUND, EXIT_RUN, EXIT_USAGE, CacheError

MakeSpace = Callable[..., FeatureSpace]
Features = dict[str, NDArray[np.float32]]

COMMAND = "import sys; sys.argv[0] = 'vietmer'; from vietmer_core.cli.main import app; app()"


def run(*arguments: object, columns: int = 200) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments], env={"COLUMNS": str(columns)})


def vietmer(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own, as a user does, and report whether it imported torch."""
    source = f"import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); {COMMAND}"
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    command = [sys.executable, "-c", source, "cache", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def closed(make_space: MakeSpace, features: Features) -> FeatureSpace:
    """A space of 10 frames at 50 frames a second that nobody has open, last used three days ago."""
    space = make_space(dtype="fp16", frames_per_second=50)
    with space.filling() as writer:
        for key, array in features.items():
            writer.put(key, array)
    space.close()
    os.utime(space.path / "used", (time.time() - 3 * 86_400,) * 2)
    return space


def damage(space: FeatureSpace) -> None:
    (shard,) = space.path.glob("*.safetensors")
    raw = bytearray(shard.read_bytes())
    raw[-1] ^= 1
    shard.write_bytes(raw)


def test_info_shows_each_space_and_the_total(root: Path, closed: FeatureSpace, make_space: MakeSpace) -> None:
    using = make_space(kind="wav2vec2", checkpoint="facebook/wav2vec2-large-xlsr-53", layers="sum")
    shown = run("info", "--folder", root).stdout
    assert "whisper openai/whisper-tiny, layers last, fp16\n" in shown
    assert f"    {closed.path.name}\n    5 utterances, 0.2 s, " in shown
    assert "wav2vec2 facebook/wav2vec2-large-xlsr-53, layers sum, fp32\n" in shown
    assert "0 utterances, 0 frames" in shown
    assert re.search(r"last used [0-9: -]{16}\n", shown)
    assert re.search(r"last used [0-9: -]{16}, in use now\n", shown)
    assert shown.splitlines()[-2] == f"{root}:"
    assert shown.splitlines()[-1].startswith("2 spaces, 5 utterances, ")
    with using.filling():
        assert f"being filled by process {os.getpid()} on " in run("info", "--folder", root).stdout


def test_info_as_json_has_everything(root: Path, closed: FeatureSpace) -> None:
    document = json.loads(run("info", "--folder", root, "--json").stdout)
    (space,) = document["spaces"]
    assert document["folder"] == str(root)
    assert document["num_bytes"] == space["num_bytes"] == sum(path.stat().st_size for path in closed.path.iterdir())
    assert document["free_bytes"] > 0
    expected = {"kind": "whisper", "dtype": "fp16", "dim": 3, "num_entries": 5, "num_frames": 10, "seconds": 0.2}
    assert {name: space[name] for name in expected} == expected
    assert (space["in_use"], space["filled_by"], space["num_shards"], space["num_damaged"]) == (False, "", 1, 0)
    assert space["identity"]["checkpoint"] == "openai/whisper-tiny"


def test_info_names_what_is_not_used(root: Path, closed: FeatureSpace) -> None:
    (closed.path / "space.json").write_text("{", encoding="utf-8")
    (shard,) = closed.path.glob("*.safetensors")
    os.truncate(shard, 100)
    (closed.path / ".writing-far_away-1-00000000.tmp").touch()
    os.utime(closed.path / ".writing-far_away-1-00000000.tmp", (1, 1))
    shown = run("info", "--folder", root).stdout
    assert f"{closed.path.name} (space.json is absent or damaged)\n" in shown
    assert "    1 damaged shard, not used\n    1 file left of dead writers\n" in shown
    assert json.loads(run("info", "--folder", root, "--json").stdout)["spaces"][0]["identity"] is None


def test_verify_finds_nothing_in_a_sound_cache(root: Path, closed: FeatureSpace) -> None:
    result = run("verify", "--folder", root)
    assert result.exit_code == 0
    assert f"    {closed.path.name}: 5 utterances, 60 B\n    all as written\n" in result.stdout
    assert result.stdout.endswith("5 utterances read (60 B): all as written\n")


def test_verify_reports_damage_and_changes_nothing(root: Path, closed: FeatureSpace, features: Features) -> None:
    damage(closed)
    before = {path: path.read_bytes() for path in closed.path.iterdir()}
    result = run("verify", "--folder", root)
    assert result.exit_code == EXIT_FOUND
    key = list(features)[-1]
    assert f".safetensors: entry {key[:16]}…: its checksum does not match\n" in result.stdout
    assert "5 utterances read (60 B): 1 fault\n" in result.stdout
    assert "`vietmer cache prune --damaged --yes` removes it." in result.stdout
    result = run("verify", "--folder", root, "--json")
    assert result.exit_code == EXIT_FOUND
    (space,) = json.loads(result.stdout)["spaces"]
    assert (space["num_entries"], space["num_lost"], space["damage"][0]["key"]) == (5, 1, key)
    assert {path: path.read_bytes() for path in closed.path.iterdir()} == before
    assert run("prune", "--folder", root, "--damaged", "--yes").exit_code == 0
    assert run("verify", "--folder", root).exit_code == 0


def test_verify_prints_some_faults_and_counts_the_rest(
    root: Path, make_space: MakeSpace, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vietmer_core.cache.printing.MOST_SHOWN", 2)
    space = make_space()
    with space.filling(flush_seconds=0.0) as writer:
        for key, array in features.items():
            writer.put(key, array)
    for shard in space.path.glob("*.safetensors"):
        os.truncate(shard, 60)
    shown = run("verify", "--folder", root).stdout
    assert "… and 3 more; --json lists all." in shown
    assert "0 utterances read (0 B): 5 faults\n" in shown


def test_prune_removes_only_with_yes(root: Path, closed: FeatureSpace) -> None:
    result = run("prune", "--folder", root, "--older-than", "2")
    assert result.exit_code == 0
    assert f"{closed.path.name}  " in result.stdout
    assert "whisper openai/whisper-tiny, layers last, fp16: last used 3 days ago\n" in result.stdout
    assert "would be freed, and nothing was removed: add `--yes` to do so.\n" in result.stdout
    assert closed.path.exists()
    assert "nothing to remove\n" in run("prune", "--folder", root, "--older-than", "4", "--yes").stdout
    assert "nothing to remove\n" in run("prune", "--folder", root, "--to", "1GiB", "--yes").stdout
    assert closed.path.exists()
    assert re.search(r"removed: .* are free again\n", run("prune", "--folder", root, "--to", "0", "--yes").stdout)
    assert not closed.path.exists()


def test_prune_says_what_it_keeps(root: Path, filled: FeatureSpace) -> None:
    shown = run("prune", "--folder", root, "--all", "--yes").stdout
    assert shown == f"{filled.path.name} is kept: a process has it in use.\nnothing to remove\n"


@pytest.mark.parametrize("arguments", [("info",), ("verify",), ("prune", "--all", "--yes")], ids=str)
def test_a_cache_without_features_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        monkeypatch.setenv(VARIABLE, str(folder))
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (0, f"{folder}: no features are cached here.\n")
    error = run(*arguments, "--folder", tmp_path / "nowhere").exception
    assert isinstance(error, CacheError)
    assert str(error).startswith(f"{tmp_path / 'nowhere'}: there is no such folder. Leave `--folder` out")


@pytest.mark.parametrize("arguments", [("info",), ("verify",), ("prune", "--all", "--yes")], ids=str)
def test_a_folder_of_something_else_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "thesis.tex").touch()
    done = vietmer(*arguments, "--folder", tmp_path)
    assert done.returncode == EXIT_RUN
    assert done.stderr.startswith(f"error: {tmp_path}: is not a feature cache")
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["prune"], "say what to remove"),
        (["prune", "--all", "--to", "1GiB"], "leave `--older-than` and `--to` out"),
        (["prune", "--to", "ten"], "must be a size such as `10GiB` or `500MB`, but is `ten`"),
        (["prune", "--to", "-1"], "must be a size"),
        (["prune", "--older-than=-1"], "--older-than"),
    ],
)
def test_a_wrong_option_is_refused(root: Path, closed: FeatureSpace, arguments: list[str], sentence: str) -> None:
    result = run(*arguments, "--folder", root, "--yes")
    assert result.exit_code == EXIT_USAGE
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert closed.path.exists()


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("512", 512), ("10GiB", 10 * 2**30), ("1.5 GB", 1_500_000_000), ("2k", 2000), ("3tib", 3 * 2**40)],
)
def test_sizes_are_read_as_they_are_written(text: str, number: int) -> None:
    assert parse_size(text) == number


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_nothing_is_cut_off_on_any_terminal(root: Path, closed: FeatureSpace, columns: int) -> None:
    damage(closed)
    for arguments in (["info"], ["verify"], ["prune", "--all"]):
        shown = run(*arguments, "--folder", root, columns=columns).stdout
        assert "openai/whisper-tiny," in shown.split()
        folder = str(root)
        wide = [line for line in shown.splitlines() if len(line) > columns and folder not in line]
        assert columns < 80 or wide == []


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("info",), ("verify",), ("prune", "--damaged", "--yes")], ids=str)
def test_no_command_waits_for_torch(root: Path, closed: FeatureSpace, arguments: tuple[str, ...]) -> None:
    damage(closed)
    done = vietmer(*arguments, "--folder", root)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "False"
