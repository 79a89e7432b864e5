"""The files of label maps hold what their names say, and a look-up that misses names the remedy."""

import json
import pickle
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from vietmer_core.label_maps import LabelMapError, label_map, label_maps, label_space, named_label_map

DATA = Path(__file__).parents[4] / "shared" / "data"
CORPORA = {"visec", "vnemos", "sentiv_speech", "sentiv_text", "vsmec", "ravdess", "emodb", "iemocap", "meld"}


def test_the_names_are_those_of_the_files() -> None:
    assert label_maps() == ("big6", "big7", "iemocap4", "mer5", "polarity")


@pytest.mark.parametrize("file", [file for file in files("vietmer_core.label_maps").iterdir() if "yaml" in file.name])
def test_a_file_holds_the_map_that_its_name_says(file: Path) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert file.name == f"{document['name']}.v{document['version']}.yaml"
    assert set(document) == {"name", "version", "about", "labels", "corpora"}
    assert all(set(entry) == {"source", "labels"} and entry["source"] for entry in document["corpora"].values())


@pytest.mark.parametrize("name", label_maps())
def test_every_label_maps_into_the_space_or_to_nothing(name: str) -> None:
    found = named_label_map(name)
    assert len(set(found.labels)) == len(found.labels) >= 2
    assert set(found.corpora) >= CORPORA
    for corpus, mapping in found.corpora.items():
        assert set(mapping.values()) <= {*found.labels, None}, corpus
        assert len(set(mapping.values()) - {None}) >= 2, corpus
        assert all(label == label.lower() for label in mapping)


def test_spaces_agree_where_they_share_labels() -> None:
    """What is a label in one space is no other label in another; only polarity groups them."""
    spaces = [named_label_map(name) for name in label_maps() if name != "polarity"]
    for first in spaces:
        for second in spaces:
            for corpus in set(first.corpora) & set(second.corpora):
                pairs = [
                    (first.corpora[corpus][label], second.corpora[corpus][label]) for label in first.corpora[corpus]
                ]
                assert [pair for pair in pairs if None not in pair and pair[0] != pair[1]] == []


def test_the_newest_version_is_taken_unless_one_is_named() -> None:
    assert named_label_map("mer5") == named_label_map("mer5.v1")
    assert label_map("mer5", "visec")["happy"] == "happiness"
    assert label_map("iemocap4", "iemocap")["excited"] == "happiness"
    assert label_map("big6", "sentiv_speech")["anger"] is None
    assert label_space("polarity") == ("negative", "neutral", "positive")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mer6", "there is no label map `mer6`; there are `big6`, .*. Did you mean `mer5`?"),
        ("mer5.v9", "there is no label map `mer5.v9`; of `mer5` there are `mer5.v1`."),
        ("mer5.vx", "there is no label map `mer5.vx`; of `mer5` there are `mer5.v1`."),
        ("", "there is no label map ``; there are `big6`"),
    ],
)
def test_an_unknown_name_says_which_there_are(name: str, sentence: str) -> None:
    with pytest.raises(LabelMapError, match=sentence.replace("?", r"\?")):
        named_label_map(name)


def test_an_unknown_corpus_says_which_there_are() -> None:
    with pytest.raises(LabelMapError, match=r"`mer5` \(version 1\) has no corpus `visek`; .* Did you mean `visec`\?"):
        label_map("mer5", "visek")


def test_a_map_survives_pickling_and_a_mapping_cannot_be_changed() -> None:
    assert pickle.loads(pickle.dumps(named_label_map("mer5"))) == named_label_map("mer5")  # noqa: S301  # its own bytes
    with pytest.raises(TypeError):
        label_map("mer5", "visec")["happy"] = "sad"  # type: ignore[index]  # refused at run time too


@pytest.mark.skipif(not DATA.is_dir(), reason="the corpora of `../shared/data` are not here")
@pytest.mark.parametrize(
    ("folder", "corpus"), [("ravdess", "ravdess"), ("vsmec_text", "vsmec"), ("vnemos_text", "vnemos")]
)
def test_every_label_of_the_real_manifests_is_known(folder: str, corpus: str) -> None:
    lines = [line for file in (DATA / folder).glob("*.jsonl") for line in file.read_text(encoding="utf-8").splitlines()]
    labels = {json.loads(line)["emotion"] for line in lines}
    assert len(labels) > 4
    for name in label_maps():
        assert labels <= set(label_map(name, corpus)), name


def test_maps_imports_and_exports_leave_torch_alone() -> None:
    names = (
        "label_maps",
        "data.import_writing",
        "data.exporting",
        "data.croissant",
        "cli.data_import",
        "cli.data_export",
    )
    source = f"import sys, importlib\n[importlib.import_module(f'vietmer_core.{{name}}') for name in {names!r}]\n"
    source += "print([name for name in ('torch', 'sklearn', 'matplotlib', 'pyarrow') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
