"""Reading, composing and overriding, up to the values that are then validated."""

from pathlib import Path
from typing import Any

import pytest

from vietmer_core.errors import SpecError
from vietmer_core.spec_files import read_documents, read_override


def composed(*texts: str, overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    paths = [Path(f"{index}.yaml") for index in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return read_documents(paths, overrides).values


def unreadable(*paths: str, overrides: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_documents([Path(path) for path in paths], overrides)
    return [str(problem) for problem in caught.value.problems]


# Composition.


def test_a_later_file_wins_and_mappings_merge() -> None:
    found = composed("seed: 1\ntraining: {epochs: 1, warmup: 0}\n", "training: {epochs: 2}\nthreads: 3\n")
    assert found == {"seed": 1, "threads": 3, "training": {"epochs": 2, "warmup": 0}}


def test_a_later_list_replaces_the_earlier() -> None:
    assert composed("labels: [a, b, c]\n", "labels: [d]\n") == {"labels": ["d"]}


@pytest.mark.parametrize("later", ["fusion: late\n", "fusion: {kind: late}\n"])
def test_another_kind_replaces_the_entry_whole(later: str) -> None:
    assert composed("fusion: {kind: xattn, num_heads: 8}\n", later)["fusion"] in ("late", {"kind": "late"})


@pytest.mark.parametrize("later", ["fusion: {dim: 3}\n", "fusion: {kind: xattn, dim: 3}\n"])
def test_the_same_kind_keeps_the_parameters(later: str) -> None:
    found = composed("fusion: {kind: xattn, num_heads: 8, dim: 2}\n", later)
    assert found["fusion"] == {"kind": "xattn", "num_heads": 8, "dim": 3}


def test_a_bare_kind_takes_the_parameters_of_a_later_file() -> None:
    assert composed("fusion: xattn\n", "fusion: {dim: 3}\n", "fusion: xattn\n")["fusion"] == {"kind": "xattn", "dim": 3}


def test_a_null_takes_an_entry_away() -> None:
    assert composed("text: {kind: words, dim: 3}\n", "text: null\n") == {"text": None}


def test_manifests_merge_unless_the_source_is_another() -> None:
    corpus = "data: {train: {corpus: {kind: demo, split: train}, label_map: {a: b}}}\n"
    assert composed(corpus, "data: {train: {corpus: {split: test}}}\n")["data"]["train"] == {
        "corpus": {"kind": "demo", "split": "test"},
        "label_map": {"a": "b"},
    }
    assert composed(corpus, "data: {train: {corpus: other}}\n")["data"]["train"]["corpus"] == {"kind": "other"}
    assert set(composed(corpus, "data: {train: {path: a.jsonl}}\n")["data"]["train"]) == {"path"}
    assert isinstance(composed(corpus, "data: {train: a.jsonl}\n")["data"]["train"], str)


def test_a_bare_manifest_takes_the_fields_of_a_later_file(tmp_path: Path) -> None:
    found = composed("data: {train: a.jsonl}\n", "data: {train: {root: audio}}\n")["data"]["train"]
    assert found == {"path": str(tmp_path / "a.jsonl"), "root": str(tmp_path / "audio")}


# Paths.


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    text = "data: {train: [a.jsonl, {path: ../b.jsonl, root: /audio}], valid: {path: v, label_map: {path: x}}}\n"
    (folder / "spec.yaml").write_text(text, encoding="utf-8")
    found = read_documents([Path("specs/spec.yaml")], ["data.test=t.jsonl", "data.valid.root=here"]).values["data"]
    assert found["train"] == [str(folder / "a.jsonl"), {"path": str(tmp_path / "b.jsonl"), "root": "/audio"}]
    assert found["valid"] == {"path": str(folder / "v"), "root": str(tmp_path / "here"), "label_map": {"path": "x"}}
    assert found["test"] == str(tmp_path / "t.jsonl")


def test_a_checkpoint_that_is_a_folder_is_relative_to_the_file_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "specs").mkdir()
    path = tmp_path / "specs" / "a.yaml"
    path.write_text(
        "audio: {kind: whisper, checkpoint: ../whisper}\n"
        "text: {kind: two, half: {checkpoint: ./bert, weights: ./b.pth}}\n",
        encoding="utf-8",
    )
    found = read_documents([path]).values
    assert found["audio"]["checkpoint"] == str(tmp_path / "whisper")
    assert found["text"]["half"]["checkpoint"] == str(tmp_path / "specs" / "bert")
    assert found["text"]["half"]["weights"] == str(tmp_path / "specs" / "b.pth")
    found = read_documents([path], ["audio.checkpoint=./mine", "text.half.checkpoint=~/bert"]).values
    assert found["audio"]["checkpoint"] == str(Path.cwd() / "mine")
    assert found["text"]["half"]["checkpoint"] == str(tmp_path / "home" / "bert")


def test_an_id_on_the_hub_and_other_parameters_stay_as_they_are() -> None:
    text = "audio: {kind: whisper, checkpoint: openai/whisper-small, weights: random, note: ./x}\nname: ./x\n"
    found = composed(text)
    assert found["audio"] == {
        "kind": "whisper",
        "checkpoint": "openai/whisper-small",
        "weights": "random",
        "note": "./x",
    }
    assert found["name"] == "./x"


def test_the_home_folder_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert composed("data: {train: ~/a.jsonl}\n")["data"]["train"] == "/somewhere/a.jsonl"


# Overrides.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=3", {"seed": 3}),
        ("training.warmup=0.5", {"training": {"warmup": 0.5}}),
        ("training.patience=null", {"training": {"patience": None}}),
        ("labels=[a, b]", {"labels": ["a", "b"]}),
        ("label_field=a=b", {"label_field": "a=b"}),
        (" training . epochs =3", {"training": {"epochs": 3}}),
        ("training={epochs: 3}", {"training": {"epochs": 3}}),
        ("fusion.kind=late", {"fusion": {"kind": "late"}}),
        ('label_map."a.b=c"=d', {"label_map": {"a.b=c": "d"}}),
        ("label_map.'bình thường'=d", {"label_map": {"bình thường": "d"}}),
        ("label_map.very angry=d", {"label_map": {"very angry": "d"}}),
        ("label_map.0=d", {"label_map": {"0": "d"}}),
        ("name='5'", {"name": "5"}),
        ("name=", {"name": None}),
    ],
)
def test_an_override_is_a_name_and_a_yaml_value(text: str, expected: dict[str, Any]) -> None:
    assert composed(overrides=(text,)) == expected


def test_overrides_win_over_files_and_later_ones_over_earlier() -> None:
    found = composed("training: {epochs: 1, warmup: 0}\n", overrides=("training.epochs=2", "training.epochs=3"))
    assert found == {"training": {"epochs": 3, "warmup": 0}}


def test_an_override_of_the_kind_replaces_the_entry_whole() -> None:
    base = "fusion: {kind: xattn, num_heads: 8}\n"
    assert composed(base, overrides=("fusion.kind=late",))["fusion"] == {"kind": "late"}
    assert composed(base, overrides=("fusion.kind=xattn",))["fusion"] == {"kind": "xattn", "num_heads": 8}
    assert composed("fusion: xattn\n", overrides=("fusion.dim=4",))["fusion"] == {"kind": "xattn", "dim": 4}


def test_an_override_may_number_an_entry_of_a_list(tmp_path: Path) -> None:
    base = "labels: [a, b]\ndata: {test: [a.jsonl, {path: b.jsonl}]}\n"
    overrides = ("labels.1=c", "data.test.0.root=x", "data.test.1=c.jsonl")
    found = composed(base, overrides=overrides)
    first = {"path": str(tmp_path / "a.jsonl"), "root": str(tmp_path / "x")}
    assert found == {"labels": ["a", "c"], "data": {"test": [first, str(tmp_path / "c.jsonl")]}}


@pytest.mark.parametrize("train", ["a.jsonl", "{path: a.jsonl}"])
def test_a_single_manifest_counts_as_a_list_of_one(train: str, tmp_path: Path) -> None:
    base = f"data: {{train: {train}}}\n"
    entry = {"path": str(tmp_path / "a.jsonl"), "root": "/r"}
    assert composed(base, overrides=("data.train.0.root=/r",))["data"]["train"] == [entry]
    assert composed(base, overrides=("data.train.root=/r",))["data"]["train"] == entry


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels.2=c", "`labels` is a list, whose entries are numbered (0 to 1), but `2` is named instead."),
        ("labels.x=c", "`labels` is a list, whose entries are numbered (0 to 1), but `x` is named instead."),
        ("labels.-1=c", "`labels` is a list, whose entries are numbered (0 to 1), but `-1` is named instead."),
        ("data.train.root=c", "`data.train` is a list, whose entries are numbered (0), but `root` is named instead."),
    ],
)
def test_an_entry_that_a_list_does_not_have_is_refused(text: str, message: str) -> None:
    Path("a.yaml").write_text("labels: [a, b]\ndata: {train: [a.jsonl]}\n", encoding="utf-8")
    name = message.split("`")[1]
    remedy = f"Name one of its entries, or give the whole list: `--set {name}=[…]`."
    assert unreadable("a.yaml", overrides=(text,)) == [f"--set {text}: {message} {remedy}"]


@pytest.mark.parametrize("text", ["seed", "=5", "a..b=5", ".a=5", "a.=5", "", " =5", '""=5', '"a=5'])
def test_an_override_of_another_form_is_refused(text: str) -> None:
    sentence = "must have the form `a.b=value`, such as `--set training.epochs=3`."
    assert unreadable(overrides=(text,)) == [f"--set {text}: {sentence}"]


def test_an_override_whose_value_is_not_yaml_is_refused() -> None:
    (said,) = unreadable(overrides=("labels=[a, b",))
    assert said.startswith("--set labels=[a, b: the value is not YAML: expected ',' or ']'")
    assert read_override('name="[a, b"').value == "[a, b"


# What cannot be read.


def test_every_unreadable_file_and_override_is_reported_at_once() -> None:
    Path("folder").mkdir()
    Path("spec.json").write_text("{}", encoding="utf-8")
    Path("list.yaml").write_text("- a\n", encoding="utf-8")
    Path("word.yaml").write_text("hello\n", encoding="utf-8")
    Path("latin.yaml").write_bytes(b"a: 1\nname: \xe9\n")
    Path("bad.toml").write_text("a = 1\nb = \n", encoding="utf-8")
    names = ("nowhere.yaml", "folder", "spec.json", "list.yaml", "word.yaml", "latin.yaml", "bad.toml")
    mapping = "must hold a mapping of fields, such as `name: pilot`."
    assert unreadable(*names, overrides=("seed",)) == [
        "nowhere.yaml: there is no such file.",
        "folder: is a folder, not a file. Name a file in it.",
        "spec.json: must end in .yaml, .yml or .toml, but ends in `.json` instead.",
        f"list.yaml: {mapping}",
        f"word.yaml: {mapping}",
        "latin.yaml:2: the byte 0xe9 is not UTF-8. Save the file as UTF-8.",
        "bad.toml:2: is not TOML: invalid value.",
        "--set seed: must have the form `a.b=value`, such as `--set training.epochs=3`.",
    ]


def test_a_file_that_may_not_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert unreadable("a.yaml") == ["a.yaml: cannot be read: Permission denied."]


def test_a_key_that_stands_twice_is_refused_each_time() -> None:
    Path("a.yaml").write_text("seed: 1\ntraining:\n  epochs: 1\n  epochs: 2\nseed: 2\n", encoding="utf-8")
    assert unreadable("a.yaml") == [
        "a.yaml:4: `training.epochs` stands in line 3 already. Remove one of them.",
        "a.yaml:5: `seed` stands in line 1 already. Remove one of them.",
    ]


def test_a_byte_order_mark_and_capital_suffixes_do_not_matter() -> None:
    Path("a.YML").write_text("seed: 1\n", encoding="utf-8-sig")
    Path("b.TOML").write_text("threads = 2\n", encoding="utf-8-sig")
    assert read_documents([Path("a.YML"), Path("b.TOML")]).values == {"seed": 1, "threads": 2}
