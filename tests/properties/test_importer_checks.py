"""The checks of importers catch those that cannot be relied on."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Literal

import attrs
import pytest
from pydantic import BaseModel, ConfigDict

from vietmer_core.components import Component, Role
from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.errors import DataError
from vietmer_core.testing import failing_checks

CHECKS = ("importer_rows", "importer_manifest", "importer_deterministic", "importer_source", "importer_refusals")
Rows = Callable[[Path], Iterator[ImportedRow]]


class LineParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["lines"] = "lines"


def row(name: str, **fields: object) -> ImportedRow:
    made = ImportedRow(
        utterance_id=name,
        speaker_id=None,
        audio=None,
        transcript="vâng",
        label="vui",
        corpus="lines",
        place=f"a:{name}",
    )
    return attrs.evolve(made, **fields)  # type: ignore[arg-type]  # the tests give wrong values on purpose


@attrs.frozen
class Lines:
    """An importer of the test: refuses what has no `a.txt`, then gives what it was told to."""

    given: Rows

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        del log
        if not (source / "a.txt").is_file():
            raise DataError(f"`{source}` has no `a.txt`.")
        yield from self.given(source)


def component(importer: object, *, licence: str | None = "CC0-1.0", sample: bool = True) -> Component:
    return Component(
        role=Role.IMPORTER,
        params=LineParams,
        build=lambda _params: importer,
        summary="Lines.",
        licence="Apache-2.0",
        data_licence=licence,
        write_sample=(lambda folder: (folder / "a.txt").touch()) if sample else None,
    )


def good(_source: Path) -> Iterator[ImportedRow]:
    yield from (row("1"), row("2"))


def test_a_good_importer_passes() -> None:
    assert failing_checks(component(Lines(good)), names=CHECKS) == {}


NUMBERS = count()


def nothing(_source: Path) -> Iterator[ImportedRow]:
    yield from ()


def twice(_source: Path) -> Iterator[ImportedRow]:
    yield from (row("1"), row("1"))


def empty_row(_source: Path) -> Iterator[ImportedRow]:
    yield row("1", transcript=" ")


def nameless(_source: Path) -> Iterator[ImportedRow]:
    yield row("1", corpus="")


def text_for_audio(_source: Path) -> Iterator[ImportedRow]:
    yield row("1", audio="a.wav")


def lost_audio(source: Path) -> Iterator[ImportedRow]:
    yield row("1", audio=source / "lost.wav")


def other_each_time(_source: Path) -> Iterator[ImportedRow]:
    yield row(f"{next(NUMBERS)}")


def writing(source: Path) -> Iterator[ImportedRow]:
    (source / "cache.json").write_text("{}", encoding="utf-8")
    yield row("1")


@pytest.mark.parametrize(
    ("rows", "check", "sentence"),
    [
        (nothing, "importer_rows", "the sample gives no row"),
        (twice, "importer_rows", "an utterance id stands in two rows"),
        (empty_row, "importer_rows", "a:1 has neither audio nor a transcript"),
        (nameless, "importer_rows", "a:1 names no corpus"),
        (text_for_audio, "importer_rows", "`audio` is str, but must be Path or AudioBytes"),
        (lost_audio, "importer_manifest", "lost.wav` does not exist"),
        (other_each_time, "importer_deterministic", "a second reading gives other rows"),
        (writing, "importer_source", "the source is not what it was"),
    ],
)
def test_a_bad_importer_is_caught(rows: Rows, check: str, sentence: str) -> None:
    assert sentence in failing_checks(component(Lines(rows)), names=[check])[check]


@attrs.frozen
class Hopeful:
    """Reads whatever it is given."""

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        del log
        yield row(source.name)


@attrs.frozen
class Crashing:
    """Does not look before it reads."""

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        del log
        yield row((source / "a.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("importer", "sentence"),
    [
        (Hopeful(), "`empty` must be refused, but gives rows"),
        (Crashing(), "`empty` must be refused with a VietmerError, but raises FileNotFoundError"),
        (object(), "`build` must return an Importer, but returns object instead"),
    ],
)
def test_an_importer_that_does_not_refuse_is_caught(importer: object, sentence: str) -> None:
    assert sentence in failing_checks(component(importer), names=["importer_refusals"])["importer_refusals"]


def test_an_importer_without_a_sample_or_a_licence_is_caught() -> None:
    found = component(Lines(good), licence=None, sample=False)
    failed = failing_checks(found, names=["importer_rows", "corpus_licence"])
    assert "`Component.write_sample` must write a small source" in failed["importer_rows"]
    assert "data_licence" in failed["corpus_licence"]
