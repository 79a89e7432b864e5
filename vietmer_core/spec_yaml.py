"""YAML text to plain values and the line of each. Torch-free.

Of the plain words that YAML 1.1 takes for something else than text, only `true`, `false`, `null`, `~` and decimal
numbers are. A label `no` stays a label, a date or `1:30` stays text, and no number is octal. What YAML 1.1 writers
quote is a superset, so that a spec they write reads back the same.
"""

import re
from typing import Any, Final

import yaml

from vietmer_core.spec_document import Steps, TextFault, field_name

_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_WORDS: Final = (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)$", "-+0123456789"),
    ("float", r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?$", "-+0123456789."),
    ("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+."),
    ("merge", r"<<$", "<"),
)


class _SpecLoader(yaml.SafeLoader):
    """Plain values only: no tag of a stranger makes an object."""


_SpecLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in _PLAIN_WORDS:
    _SpecLoader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), list(_first))


def parse_yaml(text: str) -> tuple[Any, dict[Steps, int]]:
    """The value of a YAML text, and the line of every value in it.

    Raises:
        TextFault: if it is not YAML, or a key stands twice in one mapping.
    """
    lines: dict[Steps, int] = {}
    twice: list[tuple[int, str]] = []
    try:
        loader = _SpecLoader(text)
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        _note_lines(node, (), lines, twice)
        value = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise TextFault(_marked_fault(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise TextFault(
            (line, f"is not YAML: the character U+{ord(text[error.position]):04X} may not stand in it.")
        ) from None
    except RecursionError:
        raise TextFault((0, "is not a spec: it is nested too deeply, or refers to itself.")) from None
    except (ValueError, yaml.YAMLError) as error:
        raise TextFault((0, f"is not YAML: {error}.")) from None
    if twice:
        raise TextFault(*twice)
    return value, lines


def _marked_fault(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    line = error.problem_mark.line + 1 if error.problem_mark else 0
    problem, context = error.problem or "", error.context or ""
    if problem.startswith("but "):
        problem = f"{context}, {problem}"
    elif context.startswith("while") and error.context_mark and error.context_mark.line + 1 != line:
        problem = f"{problem}, {context} that begins in line {error.context_mark.line + 1}"
    return line, f"is not YAML: {problem or context}."


def _note_lines(node: yaml.Node, steps: Steps, lines: dict[Steps, int], twice: list[tuple[int, str]]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*steps, str(key.value))
            line = key.start_mark.line + 1
            if inner in lines:
                twice.append(
                    (line, f"`{field_name(inner)}` stands in line {lines[inner]} already. Remove one of them.")
                )
            lines[inner] = line
            _note_lines(value, inner, lines, twice)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            inner = (*steps, str(index))
            lines[inner] = value.start_mark.line + 1
            _note_lines(value, inner, lines, twice)
