import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from vietmer_audio_dual import vggish_weights
from vietmer_audio_dual.vggish import Vggish
from vietmer_audio_dual.vggish_weights import load_vggish

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.licences import LicenceWarning


def vggish_of(seed: int = 0) -> Vggish:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Vggish(patch_frames=16, channels=(2, 2, 2, 2, 2, 2), hidden_dim=4, dim=3)


def tensors_of(seed: int = 1) -> dict[str, Tensor]:
    return dict(vggish_of(seed).state_dict())


def load(path: Path, *, licence: str | None = None) -> Vggish:
    network = vggish_of()
    load_vggish(network, str(path), licence=licence)
    return network


def assert_loaded(network: Vggish) -> None:
    for name, value in tensors_of().items():
        assert torch.equal(network.state_dict()[name], value)
    assert not torch.equal(network.state_dict()["features.0.weight"], vggish_of().state_dict()["features.0.weight"])


def test_a_pickled_file_is_loaded_by_name_and_recorded(tmp_path: Path) -> None:
    file = tmp_path / "vggish.pth"
    torch.save(tensors_of(), file)
    network = vggish_of()
    record = load_vggish(network, str(file), licence=None)
    assert_loaded(network)
    assert record.weights == "pretrained"
    assert record.checkpoint == str(file)
    assert record.licence == "unknown"
    assert record.files == {"vggish.pth": hashlib.sha256(file.read_bytes()).hexdigest()}


def test_safetensors_are_loaded_and_preferred_in_a_folder(tmp_path: Path) -> None:
    save_file(tensors_of(), tmp_path / "vggish.safetensors")
    torch.save(tensors_of(seed=7), tmp_path / "older.pth")
    assert_loaded(load(tmp_path))
    assert_loaded(load(tmp_path / "vggish.safetensors"))


def test_the_published_file_is_known_by_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "renamed.pth"
    torch.save(tensors_of(), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(vggish_weights, "PUBLISHED_SHA256", digest[:8])
    assert load_vggish(vggish_of(), str(file), licence=None).licence == "Apache-2.0"
    assert load_vggish(vggish_of(), str(file), licence="MIT").licence == "MIT"


def test_a_binding_licence_is_warned_of(tmp_path: Path) -> None:
    torch.save(tensors_of(), tmp_path / "mine.pth")
    with pytest.warns(LicenceWarning, match="CC-BY-NC-4.0: they may not be used commercially"):
        load(tmp_path, licence="CC-BY-NC-4.0")


def test_random_weights_read_nothing() -> None:
    network = vggish_of()
    record = load_vggish(network, "random", licence=None)
    assert (record.weights, record.licence, dict(record.files)) == ("random", "none", {})
    assert torch.equal(network.state_dict()["embeddings.0.weight"], vggish_of().state_dict()["embeddings.0.weight"])


def test_the_whitening_of_the_published_module_is_left_out(tmp_path: Path) -> None:
    torch.save(tensors_of() | {"pproc.pca_means": torch.zeros(3, 1)}, tmp_path / "vggish.pth")
    assert_loaded(load(tmp_path))


def without(name: str) -> dict[str, Tensor]:
    return {key: value for key, value in tensors_of().items() if key != name}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without("features.3.bias"), r"does not fit: it lacks `features.3.bias`\. Take `vggish-10086976.pth`"),
        (tensors_of() | {"head.weight": torch.ones(1)}, "holds, beside VGGish's, `head.weight`"),
        (
            tensors_of() | {"embeddings.4.bias": torch.ones(9)},
            r"holds in another shape `embeddings.4.bias` \(9,\) in place of \(3,\)",
        ),
        (without("features.0.bias") | {"b": torch.ones(1)}, "lacks `features.0.bias`, and holds, beside VGGish's, `b`"),
        ({f"layer{n}.weight": torch.ones(1) for n in range(5)}, "`layer2.weight` and 2 more instead, which is another"),
        ({"state_dict": tensors_of()}, r"must hold tensors by name, but holds dict with other values instead"),
        ([torch.ones(1)], "must hold tensors by name, but holds list"),
    ],
)
def test_other_contents_are_refused_by_name(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "vggish.pth")
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path)


class Stranger:
    """What a pickle must not be able to bring along."""


def test_only_tensors_are_unpickled(tmp_path: Path) -> None:
    torch.save({"features.0.weight": Stranger()}, tmp_path / "vggish.pth")
    with pytest.raises(CheckpointError, match=r"`vggish.pth` cannot be read: it holds other objects than tensors"):
        load(tmp_path)
    (tmp_path / "vggish.pth").write_bytes(pickle.dumps({"a": 1})[:9])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "vggish.safetensors").write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match=r"`vggish.safetensors` cannot be read"):
        load(tmp_path)


def test_a_place_without_weights_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.pth` does not exist. Give the path of `vggish-10086976.pth`"):
        load(tmp_path / "nowhere.pth")
    with pytest.raises(CheckpointError, match=r"holds no weights \(\*.safetensors, \*.pth, \*.pt, \*.bin\)"):
        load(tmp_path)
    for name in ("one.pth", "two.pt"):
        torch.save(tensors_of(), tmp_path / name)
    with pytest.raises(CheckpointError, match=r"holds `one.pth`, `two.pt`. Name one of them"):
        load(tmp_path)


def test_no_weights_named_says_where_they_are_and_what_else_can_be_done() -> None:
    with pytest.raises(CheckpointError, match=r"must be named.*torchvggish.*`vggish: \{weights: random\}`"):
        load_vggish(vggish_of(), None, licence=None)
