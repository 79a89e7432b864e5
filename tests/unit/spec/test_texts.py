"""YAML and TOML texts: their values, the line of each, and what is wrong with a text that is neither."""

import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.spec_document import TextFault
from vietmer_core.spec_toml import parse_toml
from vietmer_core.spec_yaml import parse_yaml

# YAML.


def test_plain_words_stay_text_unless_they_are_true_false_null_or_decimal() -> None:
    text = "[yes, no, on, off, y, N, 1:30, 2024-01-01, 010, 0x10, =, 1e-4, true, False, null, ~, -3, 1_000, 1.5, .inf]"
    words = ["yes", "no", "on", "off", "y", "N", "1:30", "2024-01-01", "010", "0x10", "=", "1e-4"]
    assert parse_yaml(text)[0] == [*words, True, False, None, None, -3, 1000, 1.5, float("inf")]


LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff"))
WORDS = st.sampled_from(["no", "1:30", "010", "0o10", "1e5", "=", "null", "2024-01-01", "<<", ".5", "-", "0x1F"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | LINES


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(WORDS | LINES, inner), max_leaves=8))
def test_what_a_yaml_writer_writes_reads_back_the_same(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))[0] == value


def test_anchors_and_merge_keys_work() -> None:
    text = "valid: &v {path: a, root: r}\ntest: {<<: *v, path: b}\n"
    value, lines = parse_yaml(text)
    assert value == {"valid": {"path": "a", "root": "r"}, "test": {"path": "b", "root": "r"}}
    assert lines["test", "path"] == 2


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "a: 1\nb: {c: 1\nd: 2\n",
            3,
            "expected ',' or '}', but got ':', while parsing a flow mapping that begins in line 2",
        ),
        ("a: 1\nb: c: d\n", 2, "mapping values are not allowed here"),
        ("a:\n\tb: 1\n", 2, "found character '\\t' that cannot start any token"),
        ("a: *b\n", 1, "found undefined alias 'b'"),
        ("a: 1\n---\nb: 1\n", 2, "expected a single document in the stream, but found another document"),
        ("a: 1\nb: \0\n", 2, "the character U+0000 may not stand in it"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "could not determine a constructor"),
        ("? [a]\n: b\n", 1, "found unhashable key"),
        ("a: !!int b\n", 0, "invalid literal"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(TextFault) as caught:
        parse_yaml(text)
    ((found_line, said),) = caught.value.faults
    assert said.startswith("is not YAML: ")
    assert message in said
    assert found_line == line


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "[" * 5_000])
def test_yaml_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(TextFault, match="nested too deeply, or refers to itself"):
        parse_yaml(text)


def test_toml_without_an_end_is_refused() -> None:
    with pytest.raises(TextFault, match="nested too deeply"):
        parse_toml("a = " + "[" * 5_000)


# TOML.

TOML = """\
# [comment] a = 1
top = "a # b"  # c = 2
dotted.in."quoted.key" = 3
text = \"\"\"
[data]
epochs = 3 \\\"\"\"
four quotes\"\"\"\"
raw = '''
[x]'''
list = [
    1, [2, "]"],  # [
    {a = 5, b.c = '}'},
]
dates = [1979-05-27 07:32:00, 07:32:00]

[ table . "with.dot" ]
a = 1

[[data.train]]
path = "a"
[data.train.label_map]
calm = "sad"

[[data.train]]
path = "b"
corpus = { kind = "demo" }
[last]
a=-1e5
"""

TOML_LINES = {
    "top": 2,
    "dotted": 3,
    "dotted/in": 3,
    "dotted/in/quoted.key": 3,
    "text": 4,
    "raw": 8,
    "list": 10,
    "list/0": 11,
    "list/1": 11,
    "list/1/0": 11,
    "list/1/1": 11,
    "list/2": 12,
    "list/2/a": 12,
    "list/2/b": 12,
    "list/2/b/c": 12,
    "dates": 14,
    "dates/0": 14,
    "dates/1": 14,
    "table": 16,
    "table/with.dot": 16,
    "table/with.dot/a": 17,
    "data": 19,
    "data/train": 19,
    "data/train/0": 19,
    "data/train/0/path": 20,
    "data/train/0/label_map": 21,
    "data/train/0/label_map/calm": 22,
    "data/train/1": 24,
    "data/train/1/path": 25,
    "data/train/1/corpus": 26,
    "data/train/1/corpus/kind": 26,
    "last": 27,
    "last/a": 28,
}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_value_of_a_toml_text_has_its_line(ending: str) -> None:
    values, lines = parse_toml(TOML.replace("\n", ending))
    assert values == tomllib.loads(TOML)
    assert {"/".join(steps): line for steps, line in lines.items()} == TOML_LINES


def ways(value: Any, steps: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {steps} | {way for key, entry in inner for way in ways(entry, (*steps, str(key)))}


def test_the_expected_lines_name_every_value_there_is() -> None:
    """Counter-check of the table above: a value it forgets would go untested."""
    assert {"/".join(way) for way in ways(tomllib.loads(TOML)) if way} == set(TOML_LINES)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = 1\nb = \n", 2, "is not TOML: invalid value."),
        ("a = 1\na = 2\n", 2, "is not TOML: cannot overwrite a value."),
        ("[a.b]\nx = 1\n[a.b]\n", 3, "is not TOML: cannot declare `a.b` twice."),
        ("a = 1\nb = [1,\n\n", 2, "is not TOML: invalid value at the end of the text."),
        ("a: 1\n", 1, "is not TOML: expected '=' after a key in a key/value pair."),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(TextFault) as caught:
        parse_toml(text)
    assert caught.value.faults == ((line, message),)
