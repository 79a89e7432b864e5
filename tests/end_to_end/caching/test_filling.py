"""Filling the feature cache: without room, with a corrupt recording, killed, and by two runs at once."""

import signal
from pathlib import Path

import pytest

from tests.end_to_end.caching.cached_runs import CANONICAL, losses, train
from tests.forked import Forked
from vietmer_core.errors import CacheError, DataError
from vietmer_core.training.run_folder import RunFolder

SCRIPTS = Path(__file__).parent


def test_a_disk_without_room_is_refused_before_anything_is_encoded(
    spec_path: Path, encodings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vietmer_core.features import filling

    monkeypatch.setattr(filling, "free_bytes", lambda _root: 2**20)
    with pytest.raises(CacheError, match=r"must be free .* only 1\.0 MiB are\. .*`cache\.dtype: fp16`"):
        train(spec_path)
    assert encodings == []


def test_a_corrupt_recording_is_named_and_what_was_encoded_is_kept(
    spec_path: Path, encodings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vietmer_core.features import filling

    monkeypatch.setattr(filling, "AT_ONCE", 2)
    path = spec_path.parent / "corpus" / "audio" / "train_00.wav"
    original = path.read_bytes()
    path.write_bytes(b"no audio")
    with pytest.raises(DataError, match=r"train\.jsonl:1: .*train_00\.wav"):
        train(spec_path)
    path.write_bytes(original)
    before = sum(encodings)
    assert before > 0
    encodings.clear()
    train(spec_path)
    assert sum(encodings) == 18 - before


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_filling_that_is_killed_goes_on_where_it_was(spec_path: Path, encodings: list[int]) -> None:
    expected = losses(train(spec_path, "cache=null", CANONICAL))
    filling = Forked(spec_path, "6", folder=spec_path.parent, script=SCRIPTS / "filling_killed.py")
    assert filling.wait() == -signal.SIGKILL, filling.err
    encodings.clear()
    assert losses(train(spec_path, CANONICAL)) == expected
    assert 0 < sum(encodings) <= 18


@pytest.mark.slow
def test_two_runs_that_start_together_encode_each_utterance_once(spec_path: Path) -> None:
    script = SCRIPTS / "filling_counted.py"
    started = [Forked(spec_path, name, folder=spec_path.parent, script=script) for name in ("first", "second")]
    assert [process.wait() for process in started] == [0, 0]
    encoded = [int(process.out.split()[-1]) for process in started]
    assert sum(encoded) == 18
    folders = [RunFolder(next((spec_path.parent / "runs").glob(f"{name}-*"))) for name in ("first", "second")]
    assert losses(folders[0]) == losses(folders[1])
