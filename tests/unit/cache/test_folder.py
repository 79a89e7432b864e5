from pathlib import Path

import pytest

from vietmer_core.cache import folder
from vietmer_core.cache.folder import VARIABLE, cache_folder, free_bytes, is_cache, make_folder
from vietmer_core.cache.space import FeatureSpace
from vietmer_core.cache.wording import count, format_bytes
from vietmer_core.errors import CacheError


def test_the_folder_is_the_one_named_or_that_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert cache_folder() == tmp_path / ".cache" / "vietmer" / "features"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "vietmer" / "features"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # must be ignored, says the standard
    assert cache_folder() == tmp_path / ".cache" / "vietmer" / "features"
    monkeypatch.setenv(VARIABLE, "~/mine")
    assert cache_folder() == tmp_path / "mine"
    assert cache_folder(Path("~/other")) == tmp_path / "other"
    assert cache_folder(Path("here")) == Path.cwd() / "here"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise RuntimeError

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", refuse)
    with pytest.raises(CacheError, match=f"Set `{VARIABLE}`"):
        cache_folder()


def test_a_new_or_empty_folder_becomes_a_cache(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/and/deep"):
        assert not is_cache(tmp_path / name)
        make_folder(tmp_path / name)
        make_folder(tmp_path / name)
        assert is_cache(tmp_path / name)
        assert (
            (tmp_path / name / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
        )


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    for act in (make_folder, is_cache):
        with pytest.raises(CacheError, match=r"is not a feature cache, since it holds no `CACHEDIR\.TAG` of ours"):
            act(tmp_path)
    with pytest.raises(CacheError, match="is not a feature cache"):
        FeatureSpace.open(tmp_path, {}, kind="whisper", dim=3, dtype="fp32")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_tag_of_another_program_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n", encoding="utf-8")
    with pytest.raises(CacheError, match="is not a feature cache"):
        is_cache(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="file: the feature cache cannot be written: File exists"):
        make_folder(tmp_path / "file")
    with pytest.raises(CacheError, match="file: cannot be read as a feature cache: Not a directory"):
        is_cache(tmp_path / "file")


def test_two_processes_may_make_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".writing-elsewhere-12-0123abcd.tmp").touch()  # the other is writing its tag
    make_folder(tmp_path)
    assert is_cache(tmp_path)
    seen = iter([False, True])  # it had written it when this one looked again
    monkeypatch.setattr(folder, "_is_ours", lambda _: next(seen))
    make_folder(tmp_path)


def test_free_bytes_are_those_of_the_nearest_folder(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
    assert abs(free_bytes(tmp_path / "not" / "yet") - free_bytes(tmp_path)) < 2**30


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (5 * 2**30, "5.0 GiB"),
        (3e15, "2728.5 TiB"),
    ],
)
def test_bytes_are_written_for_a_reader(number: float, text: str) -> None:
    assert format_bytes(int(number)) == text


def test_one_is_not_many() -> None:
    assert [count(number, "space") for number in (0, 1, 2000)] == ["0 spaces", "1 space", "2,000 spaces"]
