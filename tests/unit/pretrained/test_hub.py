"""Checkpoints from the hub: its cache without network, a pinned commit, and a sentence for each failure."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.checkpoints import open_checkpoint
from vietmer_core.pretrained.hub import hub_folder
from vietmer_core.pretrained.params import PretrainedParams

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ID = "somebody/tiny-bert"
MakeCheckpoint = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path, make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the hub that holds one commit of one checkpoint."""
    hub = tmp_path / "hub"
    repository = hub / "models--somebody--tiny-bert"
    make_checkpoint(COMMIT, folder=repository / "snapshots")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub_folder.cache_clear()
    yield hub
    hub_folder.cache_clear()


def test_what_is_in_the_cache_is_found_without_network(cache: Path) -> None:
    checkpoint = open_checkpoint(PretrainedParams(checkpoint=ID), licences={ID: "MIT"})
    assert checkpoint.folder == cache / "models--somebody--tiny-bert" / "snapshots" / COMMIT
    record = checkpoint.record
    assert (record.checkpoint, record.revision, record.commit, record.licence) == (ID, None, COMMIT, "MIT")
    assert "model.safetensors" in record.files


def test_a_pinned_commit_is_read_without_asking_the_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "models--somebody--tiny-bert" / "refs" / "main").unlink()
    asked = []
    original = huggingface_hub.snapshot_download

    def snapshot_download(*args: Any, local_files_only: bool = False, **options: Any) -> Any:
        asked.append(local_files_only)
        return original(*args, local_files_only=local_files_only, **options)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert open_checkpoint(PretrainedParams(checkpoint=ID, revision=COMMIT), licences={}).record.commit == COMMIT
    assert asked == [True]


def test_a_pinned_commit_without_weights_asks_the_hub_for_them(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = cache / "models--somebody--tiny-bert" / "snapshots" / COMMIT
    weights = (snapshot / "model.safetensors").read_bytes()
    (snapshot / "model.safetensors").unlink()
    asked = []

    def snapshot_download(
        repo_id: str, *, revision: str, allow_patterns: list[str], local_files_only: bool = False
    ) -> str:
        assert (repo_id, revision) == (ID, COMMIT)
        if not local_files_only:
            asked.append(allow_patterns[0])
            if "model.safetensors" in allow_patterns:
                (snapshot / "model.safetensors").write_bytes(weights)
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert open_checkpoint(PretrainedParams(checkpoint=ID, revision=COMMIT), licences={}).record.files
    assert asked == ["*.json", "model.safetensors"], "no pickled weights are fetched where there are safe ones"


@pytest.mark.parametrize("revision", [None, "v2", "f" * 40])
@pytest.mark.usefixtures("cache")
def test_an_offline_machine_gets_one_sentence(revision: str | None) -> None:
    params = PretrainedParams(checkpoint="somebody/other", revision=revision)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(params, licences={})
    option = f" --revision {revision}" if revision else ""
    assert f"`hf download somebody/other{option} --local-dir other`" in str(caught.value)
    assert "`checkpoint: ./other`" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("cache")
def test_a_folder_written_as_an_id_is_told_how_to_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "whisper-tiny").mkdir()
    with pytest.raises(CheckpointError, match=r"To mean the folder, write `\./whisper-tiny`\.$"):
        open_checkpoint(PretrainedParams(checkpoint="whisper-tiny"), licences={})
    with pytest.raises(CheckpointError, match="hf download whisper-base"):
        open_checkpoint(PretrainedParams(checkpoint="whisper-base"), licences={})


@pytest.mark.parametrize("revision", [None, COMMIT])
@pytest.mark.parametrize("lost", ["model.safetensors", "config.json"])
def test_a_part_of_a_checkpoint_in_the_cache_is_told_with_its_cure(
    cache: Path, revision: str | None, lost: str
) -> None:
    (cache / "models--somebody--tiny-bert" / "snapshots" / COMMIT / lost).unlink()
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(PretrainedParams(checkpoint=ID, revision=revision), licences={})
    option = f" --revision {revision}" if revision else ""
    assert f"`hf download {ID}{option} --local-dir tiny-bert`" in str(caught.value)
    assert "`checkpoint: ./tiny-bert`." in str(caught.value)


def refused(kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    """The error without the response that it is usually made from."""
    return kind.__new__(kind, "refused")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (refused(errors.GatedRepoError), r"must be asked for on its page.*`hf auth login`"),
        (refused(errors.RevisionNotFoundError), r"has no revision `v2`\. Correct `revision`"),
        (refused(errors.RepositoryNotFoundError), r"is not on the hub, or is private\..*`\./somebody/tiny-bert`"),
        (errors.HFValidationError("Repo id must be"), r"is not on the hub"),
        (errors.LocalEntryNotFoundError("no"), r"the hub cannot be reached.*--revision v2 --local-dir tiny-bert"),
        (refused(errors.HfHubHTTPError), r"cannot be fetched: HfHubHTTPError"),
        (ConnectionResetError("proxy\nrefuses."), r"cannot be fetched: proxy refuses\.$"),
        (OSError(28, "No space left on device"), r"cannot be fetched: .*No space left on device\.$"),
        (TimeoutError(), r"cannot be fetched: TimeoutError\.$"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_each_failure_is_one_sentence(error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(CheckpointError, match=sentence) as caught:
        open_checkpoint(PretrainedParams(checkpoint=ID, revision="v2"), licences={})
    assert "\n" not in str(caught.value)


SENDS_NOTHING = """
import os, sys
from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.checkpoints import open_checkpoint
from vietmer_core.pretrained.params import PretrainedParams
assert "huggingface_hub" not in sys.modules
if sys.argv[1] == "imported before":
    from huggingface_hub import constants
    assert not constants.HF_HUB_DISABLE_TELEMETRY
try:
    open_checkpoint(PretrainedParams(checkpoint="somebody/nothing"), licences={})
except CheckpointError:
    pass
from huggingface_hub import constants
assert constants.HF_HUB_DISABLE_TELEMETRY
assert os.environ["DISABLE_SAFETENSORS_CONVERSION"] == "1"
"""


@pytest.mark.parametrize("when", ["imported after", "imported before"])
def test_telemetry_is_off_whenever_the_libraries_are_imported(tmp_path: Path, when: str) -> None:
    quiet = ("HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "DISABLE_SAFETENSORS_CONVERSION")
    inherited = {name: value for name, value in os.environ.items() if name not in quiet}
    environment = {**inherited, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", SENDS_NOTHING, when], env=environment, check=True)
