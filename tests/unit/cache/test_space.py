import json
import multiprocessing
import operator
import os
import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from vietmer_core.cache import reading, writer
from vietmer_core.cache.dtypes import Dtype, size_of, to_float32, to_storage
from vietmer_core.cache.inventory import size_on_disk
from vietmer_core.cache.space import FeatureSpace
from vietmer_core.errors import CacheError, MissingEntryError

MakeSpace = Callable[..., FeatureSpace]
Features = dict[str, NDArray[np.float32]]


def shards(space: FeatureSpace) -> list[Path]:
    return sorted(space.path.glob("shard-*.safetensors"))


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_what_was_put_is_read(dtype: Dtype, make_space: MakeSpace, keys: Sequence[str]) -> None:
    widths = {dim: make_space(dtype=dtype, dim=dim) for dim in (1, 5)}
    numbers = st.integers(-(10**6), 10**6).map(lambda number: number / 16)

    @given(st.data(), st.sampled_from([1, 5]), st.integers(1, 4))
    def check(data: st.DataObject, dim: int, num_entries: int) -> None:
        space = widths[dim]
        shapes = st.tuples(st.integers(0, 9), st.just(dim))
        arrays = [data.draw(npst.arrays(np.float32, shapes, elements=numbers)) for _ in range(num_entries)]
        for shard in shards(space):
            shard.unlink()
        with space.filling() as filling:
            for key, array in zip(keys, arrays, strict=False):
                filling.put(key, array)
        for opened in (space, pickle.loads(pickle.dumps(space))):  # noqa: S301  # our own bytes
            for key, array in zip(keys, arrays, strict=False):
                read = opened.read(key)
                assert read.shape == array.shape
                np.testing.assert_array_equal(read, to_storage(array, dtype=dtype))
            assert opened.lengths(keys[:num_entries]).tolist() == [len(array) for array in arrays]
            assert len(opened) == num_entries

    check()


def test_what_is_read_cannot_be_written_and_outlives_the_space(filled: FeatureSpace, features: Features) -> None:
    read = {key: filled.read(key) for key in features}
    for shard in shards(filled):
        shard.unlink()
    filled.close()
    for key, array in features.items():
        np.testing.assert_array_equal(read[key], array)
        assert not read[key].flags.writeable or not len(array)


def test_a_shard_is_a_safetensors_file(filled: FeatureSpace, features: Features) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors comes with the extra `pretrained`")
    (shard,) = shards(filled)
    loaded = safetensors.load_file(shard)
    assert loaded.keys() == features.keys()
    for key, array in features.items():
        np.testing.assert_array_equal(loaded[key], array)


def test_the_caller_may_use_its_memory_again(make_space: MakeSpace, keys: Sequence[str]) -> None:
    space, array = make_space(), np.ones((2, 3), np.float32)
    with space.filling() as filling:
        filling.put(keys[0], array)
        array[:] = 7
    assert space.read(keys[0]).tolist() == [[1.0] * 3] * 2


def test_missing_keeps_the_order_and_names_each_once(filled: FeatureSpace, keys: Sequence[str]) -> None:
    assert filled.missing([keys[9], keys[0], keys[7], keys[9]]) == [keys[9], keys[7]]
    assert filled.missing([keys[9], keys[0]], verify=True) == [keys[9]]
    assert filled.check(keys) == []


def test_an_absent_entry_says_what_to_do(filled: FeatureSpace, keys: Sequence[str]) -> None:
    with pytest.raises(MissingEntryError, match=rf"holds no features of utterance {keys[9][:16]}…\. Start the run"):
        filled.read(keys[9])
    with pytest.raises(MissingEntryError):
        filled.lengths([keys[0], keys[9]])


@pytest.mark.parametrize(
    ("key", "shape", "sentence"),
    [
        ("A" * 64, (1, 3), "`key` must be 64 lower-case hexadecimal digits"),
        ("../../../etc", (1, 3), "`key` must be"),
        ("a" * 64, (1, 4), r"`array` must be of shape \(frames, 3\), but is of shape \(1, 4\)"),
        ("a" * 64, (3,), r"but is of shape \(3,\)"),
    ],
)
def test_a_wrong_key_or_shape_is_refused(
    make_space: MakeSpace, key: str, shape: tuple[int, ...], sentence: str
) -> None:
    with make_space().filling() as filling, pytest.raises(ValueError, match=sentence):
        filling.put(key, np.zeros(shape, np.float32))


def test_overflow_is_refused_and_the_rest_is_kept(make_space: MakeSpace, keys: Sequence[str]) -> None:
    space = make_space(dtype="fp16")
    with space.filling() as filling:
        filling.put(keys[0], np.ones((1, 3), np.float32))
        with pytest.raises(CacheError, match="must not exceed 65504"):
            filling.put(keys[1], np.full((1, 3), 1e5, np.float32))
    assert space.missing(keys[:2]) == [keys[1]]


def test_a_shard_is_written_when_it_is_full_or_due(
    make_space: MakeSpace, keys: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    space, array = make_space(), np.ones((100, 3), np.float32)
    monkeypatch.setattr(writer, "SHARD_BYTES", 3 * array.nbytes)
    with space.filling() as filling:
        for key in keys[:7]:
            filling.put(key, array)
        assert len(shards(space)) == 2
        assert len(space) == 6
        assert space.read(keys[5]).shape == (100, 3)
        monkeypatch.setattr(writer.time, "monotonic", lambda now=time.monotonic: now() + 31)  # type: ignore[attr-defined]
        filling.put(keys[7], array)
        assert len(space) == 8
        filling.flush()  # nothing waits
    assert len(shards(space)) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_put_is_kept_however_the_block_is_left(
    make_space: MakeSpace, keys: Sequence[str], error: type[BaseException]
) -> None:
    def leave(space: FeatureSpace) -> None:
        with space.filling() as filling:
            filling.put(keys[0], np.ones((1, 3), np.float32))
            raise error

    with pytest.raises(error):
        leave(make_space())
    assert make_space().missing(keys[:1]) == []
    with make_space().filling():
        pass  # the lock was given up


def test_two_copies_of_an_entry_are_harmless(filled: FeatureSpace, features: Features, keys: Sequence[str]) -> None:
    with filled.filling() as filling:
        for _ in range(2):
            filling.put(keys[3], features[keys[3]])
    assert len(filled) == len(features)
    first, second = shards(filled)
    for gone in (first, second):
        hidden = gone.rename(gone.with_suffix(".hidden"))
        np.testing.assert_array_equal(filled.read(keys[3]), features[keys[3]])
        hidden.rename(gone)


def test_refresh_sees_what_others_wrote_and_removed(make_space: MakeSpace, keys: Sequence[str]) -> None:
    mine, theirs = make_space(), make_space()
    assert mine.missing(keys[:2]) == keys[:2]
    with theirs.filling() as filling:
        filling.put(keys[0], np.ones((1, 3), np.float32))
    assert mine.missing(keys[:1]) == keys[:1]
    mine.refresh()
    assert mine.missing(keys[:1]) == []
    with theirs.filling() as filling:
        filling.put(keys[1], np.zeros((2, 3), np.float32))
    assert mine.read(keys[1]).shape == (2, 3)  # reading looks again before it gives up
    for shard in shards(mine):
        shard.unlink()
    mine.refresh()
    assert mine.missing(keys[:2]) == keys[:2]


def test_more_shards_than_maps_can_be_read(
    make_space: MakeSpace, keys: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_MAPS", 2)
    space = make_space()
    with space.filling(flush_seconds=0.0) as filling:
        for number, key in enumerate(keys[:6]):
            filling.put(key, np.full((2, 3), number, np.float32))
    held = [space.read(key) for key in keys[:6]]
    assert len(space._maps._maps) == 2
    assert [array[0, 0] for array in held] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "change",
    [{"dtype": "fp16"}, {"dim": 4}, {"kind": "wav2vec2"}, {"checkpoint": "other"}, {"params": {"layers": 3}}],
    ids=str,
)
def test_another_encoder_has_another_space(
    make_space: MakeSpace, filled: FeatureSpace, features: Features, change: dict[str, Any]
) -> None:
    other = make_space(**change)
    assert other.path != filled.path
    assert other.missing(features) == list(features)


def test_the_order_of_the_identity_does_not_matter(make_space: MakeSpace) -> None:
    first = make_space(a=1, b={"c": (2, 3), "d": None})
    assert first.path == make_space(b={"d": None, "c": [2, 3]}, a=1).path
    assert first.path != make_space(b={"d": None, "c": [3, 2]}, a=1).path


def test_the_identity_can_be_read(filled: FeatureSpace) -> None:
    document = json.loads((filled.path / "space.json").read_text(encoding="utf-8"))
    assert document["identity"]["checkpoint"] == "openai/whisper-tiny"
    assert (document["kind"], document["dim"], document["dtype"]) == ("whisper", 3, "fp32")
    assert filled.path.name == f"whisper-{document['digest'][:16]}"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}'])
def test_a_damaged_identity_is_written_again(
    filled: FeatureSpace, make_space: MakeSpace, features: Features, text: str
) -> None:
    written = (filled.path / "space.json").read_text(encoding="utf-8")
    (filled.path / "space.json").write_text(text, encoding="utf-8")
    assert make_space().missing(features) == []
    assert json.loads((filled.path / "space.json").read_text())["digest"] == json.loads(written)["digest"]


def test_the_size_of_a_shard_is_foreseen(make_space: MakeSpace, keys: Sequence[str]) -> None:
    space = make_space(dim=64)
    before = size_on_disk(space.path)
    with space.filling() as filling:
        for key in keys:
            filling.put(key, np.ones((11, 64), np.float32))
    foreseen = size_of(11 * len(keys), dim=64, dtype="fp32", entries=len(keys))
    assert 0.97 * foreseen < size_on_disk(space.path) - before <= foreseen


def test_opening_and_closing_are_uses(make_space: MakeSpace) -> None:
    space = make_space()
    for use in (make_space, space.refresh, space.close):
        os.utime(space.path / "used", (1000, 1000))
        use()
        assert (space.path / "used").stat().st_mtime > time.time() - 60


def test_a_started_process_reads_what_this_one_wrote(filled: FeatureSpace, features: Features) -> None:
    assert pickle.dumps(filled).find(b"mmap") == -1
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for key, array in features.items():
            np.testing.assert_array_equal(pool.apply(operator.methodcaller("read", key), [filled]), array)


def test_stored_bits_of_bf16_are_numbers_again(make_space: MakeSpace, keys: Sequence[str]) -> None:
    space = make_space(dtype="bf16")
    with space.filling() as filling:
        filling.put(keys[0], np.array([[0x3F80, 0xC000, 0]], np.uint16))
    assert to_float32(space.read(keys[0]), dtype="bf16").tolist() == [[1.0, -2.0, 0.0]]
