"""A disk that is full, or may not be written: what was written stays, and the sentence says what to do."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from vietmer_core.cache import whole_files
from vietmer_core.cache.space import FeatureSpace
from vietmer_core.errors import EXIT_RUN, CacheError

MakeSpace = Callable[..., FeatureSpace]

FILL_UNTIL_REFUSED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from vietmer_core.cache.space import FeatureSpace
from vietmer_core.errors import CacheError
identity = {"checkpoint": "openai/whisper-tiny", "layers": "last"}
space = FeatureSpace.open(Path(sys.argv[1]), identity, kind="whisper", dim=3, dtype="fp32")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # the system refuses to write more into one file
try:
    with space.filling() as writer:
        for key, frames in zip(sys.argv[2:], (10, 100_000, 10)):
            writer.put(key, np.ones((frames, 3), np.float32))
            writer.flush()
except CacheError as error:
    print(error)
    print(error.exit_code)
"""


def test_a_system_that_writes_no_further_leaves_what_was_written(
    make_space: MakeSpace, root: Path, keys: Sequence[str]
) -> None:
    command = [sys.executable, "-c", FILL_UNTIL_REFUSED, str(root), *keys[:3]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    space = make_space()
    sentence, code = done.stdout.splitlines()
    start = f"{space.path}: the feature cache cannot be written: File too large. It keeps 1 utterance."
    assert sentence.startswith(start)
    assert "free there. Free some space, set `cache.dtype: fp16`, which takes half the space, or name" in sentence
    assert code == str(EXIT_RUN)
    assert space.missing(keys[:3], verify=True) == keys[1:3]
    assert list(space.path.glob("*.tmp")) == []
    with space.filling() as writer:
        writer.put(keys[1], np.ones((100_000, 3), np.float32))
    assert space.read(keys[1]).shape == (100_000, 3)


@pytest.mark.parametrize(
    ("number", "dtype", "there", "absent"),
    [
        (errno.ENOSPC, "fp32", "No space left on device. It keeps 0 utterances. ", "that you may write"),
        (errno.EDQUOT, "fp32", "set `cache.dtype: fp16`", "that you may write"),
        (errno.ENOSPC, "fp16", "Free some space, or name another `cache.folder`", "cache.dtype"),
        (errno.EACCES, "fp32", "Permission denied. It keeps 0 utterances. Name a `cache.folder` that", "Free"),
    ],
)
def test_the_sentence_fits_the_error(
    make_space: MakeSpace,
    keys: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    dtype: str,
    there: str,
    absent: str,
) -> None:
    space = make_space(dtype=dtype)

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(whole_files.os, "fsync", refuse)  # type: ignore[attr-defined]
    with pytest.raises(CacheError) as caught, space.filling() as writer:
        writer.put(keys[0], np.ones((1, 3), np.float32))
    assert there in str(caught.value)
    assert absent not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(path.name for path in space.path.iterdir()) == ["filling.lock", "space.json", "used"]


def test_a_full_disk_does_not_hide_what_went_wrong_before(
    make_space: MakeSpace, keys: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = make_space()

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fail_while_filling() -> None:
        with space.filling() as writer:
            writer.put(keys[0], np.ones((1, 3), np.float32))
            monkeypatch.setattr(whole_files.os, "fsync", refuse)  # type: ignore[attr-defined]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fail_while_filling()
    (note,) = caught.value.__notes__
    assert "No space left on device" in note


@pytest.mark.usefixtures("filled")
def test_a_space_that_may_only_be_read_is_read(
    make_space: MakeSpace, keys: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = os.open

    def refuse(path: str, flags: int, *arguments: int) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, "Read-only file system")
        return opening(path, flags, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        space = make_space()
        assert space.check(keys[:5]) == []
        assert space.read(keys[4]).shape == (4, 3)
        with (
            pytest.raises(CacheError, match=r"cannot be written: Read-only file system\. Name a `cache"),
            space.filling(),
        ):
            pass
    space.close()
