"""The licence of a checkpoint, and the one warning of those that bind."""

import warnings
from pathlib import Path

import pytest

from vietmer_core.pretrained.licences import LicenceWarning, licence_of, obligation, warn_of_licence


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("---\nlicense: mit\n---\n# A model\n", "MIT"),
        ("---\r\nlanguage: vi\r\nlicense: cc-by-nc-4.0\r\n---\r\n", "CC-BY-NC-4.0"),
        ('---\nlicense: "apache-2.0"\n---', "Apache-2.0"),
        ("---\nlicense:\n- mit\n- agpl-3.0\n---\n", "MIT and AGPL-3.0"),
        ("---\nlicense: other\nlicense_name: model-non-commercial\n---\n", "model-non-commercial"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\nlicense:\nlanguage: vi\n---\n", "unknown"),
        ("---\nlicense: [\n---\n", "unknown"),
        ("# license: mit\n", "unknown"),
        ("text\n---\nlicense: mit\n---\n", "unknown"),
    ],
)
def test_the_licence_is_read_from_the_head_of_the_card(tmp_path: Path, head: str, licence: str) -> None:
    (tmp_path / "README.md").write_bytes(head.encode())
    assert licence_of("./x", known={}, folder=tmp_path) == licence


def test_the_table_of_the_plugin_comes_before_the_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    assert licence_of("org/name", known={"org/name": "AGPL-3.0-only"}, folder=tmp_path) == "AGPL-3.0-only"


def test_without_a_card_it_is_unknown(tmp_path: Path) -> None:
    assert licence_of("org/name", known={}, folder=tmp_path) == "unknown"
    assert licence_of("org/name", known={}) == "unknown"


@pytest.mark.parametrize(
    ("licence", "word"),
    [
        ("AGPL-3.0-only", "source code"),
        ("agpl-3.0", "source code"),
        ("CC-BY-NC-4.0", "commercially"),
        ("cc-by-nc-sa-4.0", "commercially"),
        ("model-non-commercial", "commercially"),
        ("MIT and AGPL-3.0", "source code"),
    ],
)
def test_what_binds_is_warned_of_once(licence: str, word: str) -> None:
    with pytest.warns(LicenceWarning, match=rf"^the weights of `org/name` are under {licence}: .*{word}"):
        warn_of_licence("org/name", licence)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_licence("org/name", licence)


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0", "unknown", "CC-BY-SA-4.0", "GPL-3.0", "NCSA"])
def test_what_does_not_bind_is_not(licence: str) -> None:
    assert obligation(licence) == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_licence("org/name", licence)
