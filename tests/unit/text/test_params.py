"""The parameters, and the zone without torch."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from vietmer_core.text.params import SEGMENTER_NAMES, TranscriptParams


def test_the_defaults() -> None:
    params = TranscriptParams()
    assert params.model_dump() == {
        "segmenter": "underthesea",
        "tone_style": "new",
        "read_numbers": False,
        "read_abbreviations": False,
        "max_tokens": 96,
        "unreadable": "refuse",
    }
    assert params.segmenter in SEGMENTER_NAMES


def test_every_field_is_described() -> None:
    assert [name for name, field in TranscriptParams.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    "wrong", [{"segmenter": "vncorenlp"}, {"tone_style": "both"}, {"max_tokens": 3}, {"segmenters": "none"}]
)
def test_what_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TranscriptParams.model_validate(wrong)


def test_params_are_frozen() -> None:
    with pytest.raises(ValidationError):
        TranscriptParams().max_tokens = 5  # type: ignore[misc]


LIGHT = ("params", "normalise", "tones", "numbers", "abbreviations", "segmenters", "subwords", "unreadable")
HEAVY = ("torch", "transformers", "tokenizers", "sentencepiece", "underthesea", "pyvi")


def heavy_after(source: str) -> list[str]:
    """The heavy libraries that a fresh interpreter holds after running a piece of source."""
    report = f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{source}\n{report}"], capture_output=True, text=True, check=True)
    found: list[str] = eval(done.stdout)  # noqa: S307  # our own output
    return found


def test_all_but_the_frontend_leave_torch_and_every_library_alone() -> None:
    assert heavy_after("\n".join(f"import vietmer_core.text.{name}" for name in LIGHT)) == []


def test_the_frontend_needs_torch_alone_and_the_check_sees_it() -> None:
    assert heavy_after("import vietmer_core.text.frontend") == ["torch"]
