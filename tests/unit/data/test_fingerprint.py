import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.manifest import Manifest
from vietmer_core.errors import DataError

MakeFile = Callable[..., Path]


@pytest.fixture
def corpus(make_row: Callable[..., Any], write_manifest: MakeFile, write_audio: MakeFile) -> tuple[Path, Path]:
    write_audio("audio/a.wav", seconds=0.1)
    write_audio("audio/b.wav", seconds=0.2)
    names = ("audio/b.wav", "audio/a.wav", "audio/b.wav", None)
    first = write_manifest(*(make_row(wav_path=name, end=0.1) for name in names), name="a.jsonl")
    return first, write_manifest(make_row(wav_path="audio/a.wav", end=0.1), name="b.jsonl")


@pytest.mark.parametrize("content", [True, False])
def test_a_copy_elsewhere_has_the_same_fingerprint(
    corpus: tuple[Path, Path],
    open_manifest: Callable[..., Manifest],
    tmp_path_factory: pytest.TempPathFactory,
    content: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fingerprint = split_fingerprint(open_manifest(*corpus), content=content)
    copy = tmp_path_factory.mktemp("copies") / "copy"
    shutil.copytree(corpus[0].parent, copy)
    monkeypatch.chdir(copy)
    copied = split_fingerprint(open_manifest(Path("a.jsonl"), copy / "b.jsonl"), content=content)
    assert copied == fingerprint
    assert len(fingerprint) == 64
    assert split_fingerprint(open_manifest(*corpus), content=not content) != fingerprint


def test_any_other_byte_changes_it(corpus: tuple[Path, Path], open_manifest: Callable[..., Manifest]) -> None:
    def fingerprints(*paths: Path) -> tuple[str, str]:
        manifest = open_manifest(*paths)
        return split_fingerprint(manifest, content=True), split_fingerprint(manifest, content=False)

    before = fingerprints(*corpus)
    assert fingerprints(*reversed(corpus)) != before
    wav = corpus[0].parent / "audio/a.wav"
    sound = wav.read_bytes()
    wav.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    edited = fingerprints(*corpus)
    assert edited[0] != before[0]
    assert edited[1] == before[1]  # the price of `content=False`, as its docstring says
    wav.write_bytes(sound + b"\0")
    assert all(now != then for now, then in zip(fingerprints(*corpus), before, strict=True))
    wav.write_bytes(sound)
    assert fingerprints(*corpus) == before
    corpus[1].write_bytes(corpus[1].read_bytes() + b"\n")
    assert all(now != then for now, then in zip(fingerprints(*corpus), before, strict=True))


@pytest.mark.parametrize("content", [True, False])
def test_a_missing_recording_is_named(
    corpus: tuple[Path, Path], open_manifest: Callable[..., Manifest], content: bool
) -> None:
    (corpus[0].parent / "audio/a.wav").unlink()
    with pytest.raises(DataError, match=r"audio/a.wav` does not exist"):
        split_fingerprint(open_manifest(*corpus), content=content)
