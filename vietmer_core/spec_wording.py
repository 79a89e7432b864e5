"""What is wrong with one value, in the words of a spec's author rather than of its validator. Torch-free."""

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from pydantic_core import ErrorDetails

_WHOLE: Final = "a whole number"
_NUMBER: Final = "a number"
_TEXT: Final = "text"
_SWITCH: Final = "true or false"
_LIST: Final = "a list"
_MAPPING: Final = "a mapping of fields"

_EXPECTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _WHOLE),
        **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), _NUMBER),
        "finite_number": "a finite number",
        **dict.fromkeys(("string_type", "string_sub_type"), _TEXT),
        **dict.fromkeys(("bool_type", "bool_parsing"), _SWITCH),
        **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type", "iterable_type"), _LIST),
        **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), _MAPPING),
        "path_type": "a path",
        "none_required": "null",
        "greater_than": "more than {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "less than {lt}",
        "less_than_equal": "at most {le}",
        "multiple_of": "a multiple of {multiple_of}",
        "string_pattern_mismatch": "text that matches `{pattern}`",
        "string_too_short": "text of at least {min_length} characters",
        "string_too_long": "text of at most {max_length} characters",
    }
)
_QUOTED: Final = re.compile(r"'([^']*)'")
QUOTE: Final = "Put it in quotes."
_LONGEST_VALUE: Final = 80


def shown(value: object) -> str:
    """A value as it could stand in a spec."""
    plain = value is None or isinstance(value, str | bool | int | float | Mapping | list | tuple)
    text = json.dumps(value, ensure_ascii=False, default=str) if plain else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def entries(number: int) -> str:
    """A number of entries, in words."""
    return "1 entry" if number == 1 else f"{number} entries"


def choices(detail: ErrorDetails) -> list[str]:
    """The values that a field with a closed set of them takes; empty for other errors."""
    if detail["type"] not in ("literal_error", "enum"):
        return []
    expected = str(detail["ctx"]["expected"])
    return _QUOTED.findall(expected) or [expected]


def expected(detail: ErrorDetails) -> str:
    """What a value must be, without the `must be`; empty where a sentence says it all."""
    if names := choices(detail):
        quoted = [f"`{name}`" for name in names]
        return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
    if detail["type"] in ("component", "manifest", "switch", "pair"):
        return detail["msg"]
    pattern = _EXPECTED.get(detail["type"])
    if pattern is not None:
        return pattern.format(**{key: _plain_number(value) for key, value in detail.get("ctx", {}).items()})
    return detail["msg"].removeprefix("Input should be ") if detail["msg"].startswith("Input should be ") else ""


def _plain_number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def refusal(details: Sequence[ErrorDetails]) -> tuple[str, str]:
    """What is wrong with one value, and the remedy; several errors are those of the alternatives of a union."""
    rules = list(dict.fromkeys(rule for rule in map(expected, details) if rule))
    value = details[0]["input"]
    if not rules:
        return sentence(details[0]), ""
    names = [name for detail in details for name in choices(detail)]
    near = get_close_matches(value, names, n=1) if isinstance(value, str) else []
    remedy = f"Did you mean `{near[0]}`?" if near else ""
    if rules == [_TEXT] and value is not None and not isinstance(value, Mapping | list):
        remedy = QUOTE
    if rules == [_MAPPING] and value is None:
        remedy = "Give it fields, or remove its name."
    return f"must be {', or '.join(rules)}, but is {shown(value)} instead.", remedy


def sentence(detail: ErrorDetails) -> str:
    """The sentence that a validator wrote, complete with what was found."""
    context = detail.get("ctx", {})
    if "sentence" in context:
        return str(context["sentence"])
    value = detail["input"]
    if detail["type"] in ("too_short", "too_long"):
        bound = f"at least {entries(context['min_length'])}" if "min_length" in context else ""
        bound = bound or f"at most {entries(context['max_length'])}"
        return f"must have {bound}, but has {entries(len(value))} instead."
    written = str(context.get("error", detail["msg"])).strip().rstrip(".")
    if not written:
        return f"is refused, being {shown(value)}."
    if written.endswith(("?", "!")) or " instead" in written or shown(value) in written or isinstance(value, dict):
        return written if written.endswith(("?", "!")) else f"{written}."
    return f"{written}, but is {shown(value)} instead."
