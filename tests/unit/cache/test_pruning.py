import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from vietmer_core.cache import locks, pruning, upkeep, whole_files
from vietmer_core.cache.inventory import find_spaces, summarise, verify
from vietmer_core.cache.pruning import Wanted, carry_out, plan
from vietmer_core.cache.space import FeatureSpace

MakeSpace = Callable[..., FeatureSpace]
Features = dict[str, NDArray[np.float32]]
DEAD = 2**22 + 1
"""No process has this number on Linux."""


def age(space: FeatureSpace, days: float) -> None:
    moment = time.time() - 86_400 * days
    os.utime(space.path / "used", (moment, moment))


def prune(root: Path, wanted: Wanted) -> list[str]:
    """Remove; what remains, and why what was asked for was kept."""
    planned = plan(root, wanted)
    return [*planned.kept, *filter(None, map(carry_out, planned.items))]


@pytest.fixture
def three(make_space: MakeSpace, features: Features) -> list[FeatureSpace]:
    """Three spaces, closed, last used 30, 20 and 10 days ago."""
    spaces = [make_space(checkpoint=name) for name in "abc"]
    for space, days in zip(spaces, (30, 20, 10), strict=True):
        with space.filling() as writer:
            for key, array in features.items():
                writer.put(key, array)
        space.close()
        age(space, days)
    return spaces


def left(root: Path, spaces: Sequence[FeatureSpace]) -> list[int]:
    there = set(find_spaces(root))
    return [place for place, space in enumerate(spaces) if space.path in there]


@pytest.mark.usefixtures("three")
def test_nothing_is_removed_by_planning(root: Path) -> None:
    before = sorted(root.rglob("*"))
    planned = plan(root, Wanted(everything=True, damaged=True))
    assert len(planned.items) == 3
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(older_than_days=15), [2]),
        (Wanted(older_than_days=25), [1, 2]),
        (Wanted(older_than_days=31), [0, 1, 2]),
        (Wanted(to_bytes=0), []),
        (Wanted(to_bytes=10**9), [0, 1, 2]),
        (Wanted(everything=True), []),
        (Wanted(damaged=True), [0, 1, 2]),
    ],
    ids=str,
)
def test_what_is_asked_for_is_removed_and_no_more(
    root: Path, three: list[FeatureSpace], wanted: Wanted, expected: list[int]
) -> None:
    assert prune(root, wanted) == []
    assert left(root, three) == expected
    assert sorted(path.name for path in root.iterdir()) == sorted(
        ["CACHEDIR.TAG", *(three[place].path.name for place in expected)]
    )


def test_the_least_recently_used_goes_first(root: Path, three: list[FeatureSpace]) -> None:
    sizes = [summarise(space.path).num_bytes for space in three]
    prune(root, Wanted(to_bytes=sum(sizes) - 1))
    assert left(root, three) == [1, 2]
    age(three[1], 0)
    prune(root, Wanted(to_bytes=sizes[1]))
    assert left(root, three) == [1]


def test_what_is_in_use_is_kept(root: Path, three: list[FeatureSpace], make_space: MakeSpace) -> None:
    using = make_space(checkpoint="b")
    kept = prune(root, Wanted(everything=True))
    assert kept == [f"{using.path.name} is kept: a process has it in use."]
    assert left(root, three) == [1]
    using.close()
    assert prune(root, Wanted(everything=True)) == []
    assert left(root, three) == []


def test_what_comes_into_use_after_the_plan_is_kept(
    root: Path, three: list[FeatureSpace], make_space: MakeSpace
) -> None:
    planned = plan(root, Wanted(everything=True))
    using = make_space(checkpoint="a")
    said = [carry_out(item) for item in planned.items]
    assert [bool(sentence) for sentence in said] == [True, False, False]
    assert left(root, three) == [0]
    assert using.missing([]) == []


@pytest.mark.slow
def test_what_another_process_uses_is_kept_until_it_is_dead(
    root: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    holder = start("hold")
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "holding 0"
    (path,) = find_spaces(root)
    summary = summarise(path)
    assert summary.in_use
    assert summary.filled_by.startswith(f"process {holder.pid} on ")
    (sentence,) = prune(root, Wanted(everything=True, damaged=True))
    assert "in use" in sentence
    holder.kill()
    holder.communicate()
    assert prune(root, Wanted(everything=True)) == []
    assert find_spaces(root) == []


def test_files_of_others_are_never_removed(root: Path, three: list[FeatureSpace]) -> None:
    for path in (root / "notes.txt", three[0].path / "notes.txt", three[1].path / "shard-1.safetensors"):
        path.write_text("mine", encoding="utf-8")
    (root / "whisper-of-mine").mkdir()
    (root / ".removed-of-mine").mkdir()
    (three[2].path / "folder").mkdir()
    kept = prune(root, Wanted(everything=True, damaged=True))
    assert [sentence.split("`")[1] for sentence in kept] == ["notes.txt", "shard-1.safetensors", "folder"]
    assert left(root, three) == [0, 1, 2]
    assert (root / "notes.txt").exists()
    assert (root / ".removed-of-mine").exists()


def test_a_link_to_another_folder_is_not_followed(root: Path, three: list[FeatureSpace], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    three[0].path.rename(outside)
    three[0].path.symlink_to(outside)
    prune(root, Wanted(everything=True))
    assert sorted(path.name for path in outside.iterdir()) != []
    assert three[0].path.is_symlink()


def test_a_removal_that_was_cut_short_is_finished(
    root: Path, three: list[FeatureSpace], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Path) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pruning, "_remove_files", stop)
        with pytest.raises(KeyboardInterrupt):
            prune(root, Wanted(everything=True))
    assert left(root, three) == [1, 2]
    assert len(list(root.glob(".removed-*"))) == 1
    prune(root, Wanted(damaged=True))
    assert left(root, three) == [1, 2]
    assert list(root.glob(".removed-*")) == []


@pytest.mark.usefixtures("three")
def test_a_space_that_is_being_removed_is_made_again(
    make_space: MakeSpace, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    locking = locks.try_lock
    attempts = []

    def removed_at_first(path: Path, **options: bool) -> object:
        attempts.append(path)
        if len(attempts) == 1:
            pruning._remove_space(path.parent)
        return locking(path, **options)

    monkeypatch.setattr(upkeep, "try_lock", removed_at_first)
    space = make_space(checkpoint="a")
    assert len(attempts) == 2
    assert space.missing(features) == list(features)
    assert (space.path / "space.json").exists()


def test_damaged_parts_are_removed_and_good_entries_kept(
    root: Path, filled: FeatureSpace, only_shard: Path, features: Features
) -> None:
    *good, hit = features
    raw = bytearray(only_shard.read_bytes())
    raw[-1] ^= 1
    only_shard.write_bytes(raw)
    assert verify(filled.path).num_lost == 1
    assert prune(root, Wanted(damaged=True)) == []  # in use, but not being filled
    assert not only_shard.exists()
    check = verify(filled.path)
    assert (check.damage, check.summary.num_entries) == ([], len(good))
    assert filled.missing(features) == []  # as far as this process knows
    for key in good:
        np.testing.assert_array_equal(filled.read(key), features[key])  # it looks where they are now
    assert filled.missing(features) == [hit]


def test_a_space_being_filled_is_not_mended(root: Path, filled: FeatureSpace, only_shard: Path) -> None:
    with filled.filling():
        os.truncate(only_shard, 100)
        (sentence,) = prune(root, Wanted(damaged=True))
        assert sentence == f"{filled.path.name} is left as it is: a process is filling it."
    assert prune(root, Wanted(damaged=True)) == []
    assert not only_shard.exists()


def test_what_was_set_aside_is_removed(root: Path, filled: FeatureSpace, only_shard: Path) -> None:
    os.truncate(only_shard, 100)
    filled.refresh()
    filled.close()
    space = FeatureSpace(filled.path, filled.identity, mark=None)
    with space.filling():
        pass
    assert summarise(filled.path).num_damaged == 1
    assert verify(filled.path).damage == []
    prune(root, Wanted(damaged=True))
    assert sorted(path.name for path in filled.path.iterdir()) == ["filling.lock", "space.json", "used"]


def test_only_what_dead_writers_left_is_removed(root: Path, filled: FeatureSpace) -> None:
    host = whole_files._HOST
    assert not psutil.pid_exists(DEAD)
    dead, alive = f".writing-{host}-{DEAD}-00000000.tmp", f".writing-{host}-{os.getpid()}-00000000.tmp"
    elsewhere, long_ago = ".writing-far_away-1-00000000.tmp", ".writing-far_away-1-00000001.tmp"
    for name in (dead, alive, elsewhere, long_ago):
        for folder in (root, filled.path):
            (folder / name).touch()
            if name == long_ago:
                os.utime(folder / name, (1, 1))
    assert summarise(filled.path).num_leftovers == 2
    prune(root, Wanted(damaged=True))
    for folder in (root, filled.path):
        assert sorted(path.name for path in folder.glob("*.tmp")) == sorted([alive, elsewhere])


def test_a_writer_removes_what_dead_ones_left(filled: FeatureSpace) -> None:
    leftover = filled.path / f".writing-{whole_files._HOST}-{DEAD}-00000000.tmp"
    leftover.touch()
    with filled.filling():
        assert not leftover.exists()
