"""Nothing that is not what was written is ever given out, and what is lost can be written again."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vietmer_core.cache import shard_format
from vietmer_core.cache.space import FeatureSpace
from vietmer_core.errors import CacheError, DamagedEntryError, MissingEntryError

MakeSpace = Callable[..., FeatureSpace]
Features = dict[str, NDArray[np.float32]]


def believed(space: FeatureSpace, features: Features) -> Features:
    """What a space gives out for keys that were written."""
    given = {}
    for key in features:
        try:
            given[key] = space.read(key)
        except (DamagedEntryError, MissingEntryError):
            assert space.missing([key]) == [key]
    return given


def read_without_checksums(shard: Path) -> dict[str, NDArray[Any]]:
    """What a reader of the plain format believes; it knows the header's grammar and no more."""
    raw = shard.read_bytes()
    first = 8 + int.from_bytes(raw[:8], "little")
    given = {}
    for key, entry in json.loads(raw[8:first]).items():
        if key != "__metadata__":
            start, end = entry["data_offsets"]
            given[key] = np.frombuffer(raw[first + start : first + end], "<f4").reshape(entry["shape"])
    return given


def refill(space: FeatureSpace, features: Features) -> None:
    with space.filling() as writer:
        for key in space.missing(features, verify=True):
            writer.put(key, features[key])


def assert_whole(space: FeatureSpace, features: Features) -> None:
    for key, array in features.items():
        np.testing.assert_array_equal(space.read(key), array)


def flip(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ (1 << bit)]))


def test_one_flipped_bit_is_noticed_wherever_it_is(make_space: MakeSpace, only_shard: Path, features: Features) -> None:
    num_bytes = only_shard.stat().st_size
    for place in range(num_bytes):
        flip(only_shard, place, bit=place % 8)
        space = make_space()
        damaged = set(space.check(features))
        given = believed(space, features)
        assert len(space.damage) == 1, f"byte {place} of {num_bytes}: not noticed"
        assert not damaged & given.keys()
        for key, array in given.items():
            np.testing.assert_array_equal(array, features[key])
        flip(only_shard, place, bit=place % 8)
    assert_whole(make_space(), features)


def test_a_reader_without_checksums_believes_what_was_flipped(
    filled: FeatureSpace, only_shard: Path, features: Features
) -> None:
    assert filled.missing(features) == []
    flip(only_shard, only_shard.stat().st_size - 3, bit=5)
    wrong = [key for key, array in read_without_checksums(only_shard).items() if (array != features[key]).any()]
    assert len(wrong) == 1


def test_only_the_entry_that_is_hit_is_lost_and_it_can_be_written_again(
    make_space: MakeSpace, only_shard: Path, features: Features
) -> None:
    flip(only_shard, only_shard.stat().st_size - 1, bit=0)
    *good, hit = features
    space = make_space()
    assert believed(space, features).keys() == set(good)
    with pytest.raises(DamagedEntryError, match=rf"utterance {hit[:16]}… are not what was written"):
        space.read(hit)
    (damage,) = space.damage
    assert (damage.key, damage.reason) == (hit, "its checksum does not match")
    refill(space, features)
    assert_whole(space, features)
    again = make_space()  # meets the damaged copy first, and then the good one
    assert again.check(features) == []
    assert_whole(again, features)


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, 100, -1, -40])
def test_a_shard_that_was_cut_short_is_noticed(
    make_space: MakeSpace, only_shard: Path, features: Features, cut: int
) -> None:
    os.truncate(only_shard, cut if cut >= 0 else only_shard.stat().st_size + cut)
    space = make_space()
    given = believed(space, features)
    assert len(given) == {-1: 4, -40: 4}.get(cut, 0)
    assert_whole(space, {key: features[key] for key in given})
    assert space.damage
    refill(space, features)
    assert_whole(make_space(), features)


@pytest.mark.parametrize("size", [0, 500])
def test_a_shard_that_is_cut_while_it_is_mapped_does_not_kill_the_process(
    filled: FeatureSpace, only_shard: Path, features: Features, size: int
) -> None:
    assert_whole(filled, features)
    os.truncate(only_shard, size)
    assert believed(filled, features).keys() <= {key for key, array in features.items() if not len(array)}
    assert {damage.reason for damage in filled.damage} == {shard_format.TOO_SHORT}


def test_bytes_after_the_last_entry_are_reported_and_the_entries_are_used(
    make_space: MakeSpace, only_shard: Path, features: Features
) -> None:
    with only_shard.open("ab") as file:
        file.write(b"more")
    space = make_space()
    assert_whole(space, features)
    assert [damage.reason for damage in space.damage] == ["4 bytes follow its last entry"]


@pytest.mark.parametrize("before", [True, False], ids=["before it is indexed", "after it is indexed"])
def test_a_shard_in_the_place_of_another_is_not_believed(
    make_space: MakeSpace, filled: FeatureSpace, only_shard: Path, features: Features, keys: Sequence[str], before: bool
) -> None:
    others = {key: array + 1 for key, array in zip(keys[10:], features.values(), strict=False)}
    refill(filled, others)
    (other,) = set(filled.path.glob("*.safetensors")) - {only_shard}
    space = make_space()
    if not before:
        assert space.missing([*features, *others]) == []
    first, second = only_shard.read_bytes(), other.read_bytes()
    only_shard.write_bytes(second)
    other.write_bytes(first)
    given = believed(space, {**features, **others})
    for key, array in given.items():
        np.testing.assert_array_equal(array, {**features, **others}[key])
    assert not before or not given
    assert space.damage
    fresh = make_space()
    assert believed(fresh, features) == {}
    assert f"it was written as {other.name}" in {damage.reason for damage in fresh.damage}
    refill(fresh, features)
    assert_whole(make_space(), features)


def test_a_shard_of_another_encoder_is_not_believed(
    make_space: MakeSpace, only_shard: Path, features: Features
) -> None:
    other = make_space(checkpoint="openai/whisper-base")
    (other.path / only_shard.name).write_bytes(only_shard.read_bytes())
    other.refresh()
    assert other.missing(features) == list(features)
    assert [damage.reason for damage in other.damage] == ["it belongs to another space"]


def test_two_entries_that_changed_places_are_not_believed(make_space: MakeSpace, keys: Sequence[str]) -> None:
    space = make_space()
    two = {keys[n]: np.full((2, 3), n, np.float32) for n in (0, 1)}
    refill(space, two)
    (shard,) = space.path.glob("*.safetensors")
    raw = shard.read_bytes()
    shard.write_bytes(raw[:-48] + raw[-24:] + raw[-48:-24])
    assert set(make_space().check(two)) == set(two)
    assert any((array != two[key]).all() for key, array in read_without_checksums(shard).items())


def test_a_header_that_lies_is_refused_even_with_a_good_checksum(
    make_space: MakeSpace, only_shard: Path, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = shard_format.read_index(only_shard, space="")
    arrays = [shard_format.NewEntry(key, array, 0) for key, array in features.items()]
    for field, value in (("dim", 4), ("dtype", "fp16")):
        wrong: dict[str, Any] = {"dim": 3, "dtype": "fp32", field: value}
        header = shard_format.encode_header(arrays, space=index.space, shard=only_shard.name, **wrong)
        only_shard.write_bytes(header)
        assert believed(make_space(), features) == {}
    monkeypatch.setattr(shard_format, "FORMAT", "vietmer-features-2")
    header = shard_format.encode_header(arrays, space=index.space, shard=only_shard.name, dim=3, dtype="fp32")
    monkeypatch.undo()
    only_shard.write_bytes(header)
    space = make_space()
    assert believed(space, features) == {}
    assert "format `vietmer-features-2`" in str(space.damage[0])


def test_a_shard_whose_header_is_damaged_is_set_aside_when_it_is_replaced(
    make_space: MakeSpace, only_shard: Path, features: Features
) -> None:
    flip(only_shard, 60, bit=1)
    space = make_space()
    assert space.missing(features) == list(features)
    assert only_shard.exists()  # who only reads changes nothing
    refill(space, features)
    assert not only_shard.exists()
    assert only_shard.with_name(only_shard.name + ".damaged").exists()
    assert_whole(make_space(), features)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")], ids=str)
def test_a_shard_that_cannot_be_read_now_counts_as_absent_and_stays(
    make_space: MakeSpace,
    only_shard: Path,
    features: Features,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
) -> None:
    opening = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path == only_shard:
            raise error
        return opening(path, *arguments, **options)

    indexed, fresh = make_space(), make_space()
    assert indexed.missing(features) == []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        assert set(indexed.check(features)) == set(features)
        assert fresh.missing(features) == list(features)
        refill(fresh, features)
        assert all(f"it cannot be read ({error.strerror})" in str(damage) for damage in fresh.damage)
    fresh.refresh()
    assert_whole(fresh, features)
    assert only_shard.exists()
    assert_whole(make_space(), features)


def test_a_folder_in_the_place_of_a_shard_counts_as_absent(
    make_space: MakeSpace, only_shard: Path, features: Features
) -> None:
    only_shard.unlink()
    only_shard.mkdir()
    space = make_space()
    assert space.missing(features) == list(features)
    assert "it cannot be read (Is a directory)" in str(space.damage[0])


@pytest.mark.usefixtures("filled")
def test_a_process_out_of_files_does_not_take_shards_for_damaged(
    make_space: MakeSpace, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = make_space()
    assert space.missing(features) == []

    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        for act in (lambda: space.read(list(features)[1]), lambda: space.check(features)):
            with pytest.raises(CacheError, match=r"Too many open files.*ulimit"):
                act()
    assert space.damage == ()
    assert_whole(space, features)


def test_a_shard_that_is_removed_while_it_is_in_use_is_absent(
    filled: FeatureSpace, only_shard: Path, features: Features
) -> None:
    assert filled.missing(features) == []
    only_shard.unlink()
    for key in list(features)[1:]:  # the first has no frames to read
        with pytest.raises(MissingEntryError):
            filled.read(key)
