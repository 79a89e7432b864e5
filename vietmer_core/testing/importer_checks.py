"""Checks of importers: they read their own sample, give rows that can be used, and change nothing."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from vietmer_core.data.import_writing import ImportSettings, import_corpus
from vietmer_core.data.importing import AudioBytes, ImportedRow, Importer, ImportLog
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.errors import VietmerError
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.failures import ConformanceError


def _fail(check: str, candidate: Candidate, message: str) -> ConformanceError:
    return ConformanceError(f"check `{check}`, component `{candidate.name}`: {message}")


@contextmanager
def _sample(check: str, candidate: Candidate) -> Iterator[Path]:
    """A folder that holds the sample of an importer."""
    write = candidate.component.write_sample
    if write is None:
        raise _fail(check, candidate, "`Component.write_sample` must write a small source to read, but is None.")
    with TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        write(source)
        yield source


def _importer(check: str, candidate: Candidate) -> Importer:
    importer = candidate.component.build(candidate.params)
    if not isinstance(importer, Importer):
        raise _fail(
            check, candidate, f"`build` must return an Importer, but returns {type(importer).__name__} instead."
        )
    return importer


def _rows(check: str, candidate: Candidate, source: Path) -> list[ImportedRow]:
    log = ImportLog()
    rows = list(_importer(check, candidate).rows(source, log=log))
    log.raise_any(source)
    return rows


def importer_rows(candidate: Candidate) -> None:
    """The sample gives rows, each with an id of its own, the name of its corpus, and audio or a transcript."""
    with _sample("importer_rows", candidate) as source:
        rows = _rows("importer_rows", candidate, source)
        if not rows:
            raise _fail("importer_rows", candidate, "the sample gives no row.")
        if len({row.utterance_id for row in rows}) < len(rows):
            raise _fail("importer_rows", candidate, "an utterance id stands in two rows.")
        for row in rows:
            if not row.corpus:
                raise _fail("importer_rows", candidate, f"{row.place} names no corpus.")
            if row.audio is None and not (row.transcript or "").strip():
                raise _fail("importer_rows", candidate, f"{row.place} has neither audio nor a transcript.")
            if row.audio is not None and not isinstance(row.audio, Path | AudioBytes):
                found = type(row.audio).__name__
                raise _fail(
                    "importer_rows", candidate, f"{row.place}: `audio` is {found}, but must be Path or AudioBytes."
                )


def importer_manifest(candidate: Candidate) -> None:
    """What the sample becomes opens as manifests, and every recording of it can be read."""
    with _sample("importer_manifest", candidate) as source:
        importer, folder = _importer("importer_manifest", candidate), source.parent / "manifests"
        summary = import_corpus(importer, source, folder, ImportSettings(licence="as stated"))
        for made in summary.manifests:
            Manifest.open([ManifestSource(path=made.path)], require_labels=False)
            if made.num_rows != made.num_with_audio and made.num_rows > made.num_with_text:
                raise _fail("importer_manifest", candidate, f"rows of {made.path.name} have neither audio nor text.")


def importer_deterministic(candidate: Candidate) -> None:
    """Two readings of the sample give the same rows in the same order."""
    with _sample("importer_deterministic", candidate) as source:
        if _rows("importer_deterministic", candidate, source) != _rows("importer_deterministic", candidate, source):
            raise _fail("importer_deterministic", candidate, "a second reading gives other rows, or another order.")


def importer_source(candidate: Candidate) -> None:
    """Reading changes no file of the source, and adds none."""
    with _sample("importer_source", candidate) as source:
        before = _contents(source)
        _rows("importer_source", candidate, source)
        if _contents(source) != before:
            raise _fail("importer_source", candidate, "the source is not what it was before it was read.")


def importer_refusals(candidate: Candidate) -> None:
    """An empty folder, and a file of another kind, are refused with a sentence."""
    importer = _importer("importer_refusals", candidate)
    with TemporaryDirectory() as folder:
        empty, other = Path(folder) / "empty", Path(folder) / "notes.bin"
        empty.mkdir()
        other.write_bytes(b"\x00\x01 no corpus \xff")
        for source in (empty, other):
            _refused(candidate, lambda: _read(importer, source), source)  # noqa: B023  # called at once


def _read(importer: Importer, source: Path) -> None:
    log = ImportLog()
    rows = list(importer.rows(source, log=log))
    log.raise_any(source)
    if not rows:
        raise VietmerError("no rows: the writer refuses it.")


def _refused(candidate: Candidate, read: Callable[[], None], source: Path) -> None:
    try:
        read()
    except VietmerError:
        return
    except Exception as error:
        rule = f"`{source.name}` must be refused with a VietmerError"
        raise _fail("importer_refusals", candidate, f"{rule}, but raises {type(error).__name__}: {error}") from error
    raise _fail("importer_refusals", candidate, f"`{source.name}` must be refused, but gives rows.")


def _contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
