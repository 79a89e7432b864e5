"""`Manifest`: a split as users have it, one or several JSONL files, indexed and read row by row. Torch-free.

Opening reads every line once, checks it and keeps about 40 bytes of it; a row is parsed again when it is asked for. The
audio is not opened, except the header of a recording whose segment has no `end`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final, final

import attrs
import numpy as np

from vietmer_core.data.faults import ProblemLog
from vietmer_core.data.index import IndexBuilder, RowIndex, SourceFile, read_row_from
from vietmer_core.data.labels import RowRules
from vietmer_core.data.lines import RowFaultError
from vietmer_core.data.rows import make_utterance, resolve_path
from vietmer_core.data.sizes import Speakers, UtteranceSizes
from vietmer_core.data.utterance import REQUIRED_FIELDS, Utterance
from vietmer_core.errors import ChangedFileError, DataError
from vietmer_core.label_maps.named import NamedLabelMap


@attrs.frozen(kw_only=True)
class ManifestSource:
    """One manifest of a split.

    Attributes:
        path: The JSONL file.
        root: Folder that a relative `wav_path` starts from; the manifest's own folder by default.
        label_map: Label as written → label used, or None to leave its rows out; other labels stay as they are.
        named_map: In place of `label_map`: a named map, which maps each row by its field `corpus`.
    """

    path: Path
    root: Path | None = None
    label_map: Mapping[str, str | None] = attrs.field(factory=dict)
    named_map: NamedLabelMap | None = None


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  # `resolve` would follow links, which relative audio may not


def source_files(
    sources: Sequence[ManifestSource],
    *,
    label_field: str,
    soft_label_field: str | None,
    labels: Sequence[str] | None,
    require_labels: bool,
) -> tuple[SourceFile, ...]:
    """The manifests of one split, ready to be read.

    Raises:
        DataError: where no manifest is named, one is named twice, or a field for labels has another use.
    """
    if not sources:
        raise DataError("a split needs at least one manifest, but none is named.")
    if label_field in REQUIRED_FIELDS:
        raise DataError(f"`label_field` must name a field for labels, but is `{label_field}`, which has another use.")
    if soft_label_field in (*REQUIRED_FIELDS, label_field):
        rule = "`soft_label_field` must name a field for soft labels"
        raise DataError(f"{rule}, but is `{soft_label_field}`, which has another use.")
    files: list[SourceFile] = []
    for source in sources:
        if any(file.path == _absolute(source.path) for file in files):
            raise DataError(f"manifest `{source.path}` is named twice in one split. Name it once.")
        rules = RowRules(
            label_field=label_field,
            soft_label_field=soft_label_field,
            label_map=dict(source.label_map),
            labels=None if labels is None else tuple(labels),
            require_labels=require_labels,
            named_map=source.named_map,
        )
        folder = _absolute(source.root or source.path.parent)
        files.append(SourceFile(shown=source.path, path=_absolute(source.path), folder=str(folder), rules=rules))
    return tuple(files)


def _stamp(source: SourceFile) -> tuple[int, int]:
    try:
        status = source.path.stat()
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


@final
@attrs.frozen(kw_only=True, eq=False)
class Manifest:
    """A split: `len`, `[i]` and iteration give utterances; `sizes` and `speakers` need no row to be parsed.

    Holds no open file and survives `pickle`, `fork` and `spawn`.

    Attributes:
        sources: As given.
        label_field: The field that holds the label.
        soft_label_field: The field that holds soft labels, or None where none are read.
        label_names: The label space: as given, or the labels found, sorted. `sizes.labels` counts in it.
        sizes: Duration, words and label of every utterance.
        speakers: Speaker of every utterance.
        num_left_out: Rows that a label map left out.
        num_soft: Rows with a soft label of their own.
    """

    sources: tuple[ManifestSource, ...]
    label_field: str
    soft_label_field: str | None
    label_names: tuple[str, ...]
    sizes: UtteranceSizes
    speakers: Speakers
    num_left_out: int
    num_soft: int
    _files: tuple[SourceFile, ...]
    _stamps: tuple[tuple[int, int], ...]
    _index: RowIndex

    @classmethod
    def open(
        cls,
        sources: Sequence[ManifestSource],
        *,
        label_field: str = "emotion",
        soft_label_field: str | None = None,
        labels: Sequence[str] | None = None,
        require_labels: bool,
    ) -> "Manifest":
        """Read and check every line of the split.

        Args:
            sources: The manifests; an utterance id stands once in all of them together.
            label_field: The field that holds the label.
            soft_label_field: The field that holds a soft label, label → probability; None reads none.
            labels: The label space, after the label maps; any other label is at fault. None collects the labels.
            require_labels: Whether a row without a label is at fault; otherwise its label is None, class -1.

        Raises:
            DataError: where a file cannot be read as text or no utterance remains.
            DataProblemsError: with the first 50 faults of the rows and the number of all.
        """
        files = source_files(
            sources,
            label_field=label_field,
            soft_label_field=soft_label_field,
            labels=labels,
            require_labels=require_labels,
        )
        stamps = tuple(_stamp(file) for file in files)
        log = ProblemLog()
        builder = IndexBuilder(files, log=log)
        index = builder.read()
        log.raise_any([file.shown for file in files])
        if not len(index):
            _refuse_empty(files, builder.num_left_out)
        names = tuple(sorted(builder.labels) if labels is None else labels)
        return cls(
            sources=tuple(sources),
            label_field=label_field,
            soft_label_field=soft_label_field,
            label_names=names,
            sizes=_sizes(index, found=tuple(builder.labels), names=names),
            speakers=Speakers(codes=index.speaker, names=tuple(builder.speakers)),
            num_left_out=builder.num_left_out,
            num_soft=builder.num_soft,
            files=files,
            stamps=stamps,
            index=index,
        )

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, position: int) -> Utterance:
        """The utterance at a position from 0 to len - 1.

        Raises:
            IndexError: where there is no such position.
            ChangedFileError: where the file has changed since it was opened.
        """
        if not 0 <= position < len(self):
            raise IndexError(f"`position` must lie between 0 and {len(self) - 1}, but is {position} instead.")
        source = self._unchanged(int(self._index.source[position]))
        with source.path.open("rb") as stream:
            return self._read(stream, source, position)

    def recordings(self) -> Iterator[tuple[int, str, Path]]:
        """Each recording of each source once, as it first appears: source number, `wav_path` as written, full path.

        Raises:
            ChangedFileError: where a file has changed since it was opened.
        """
        for number in range(len(self._files)):
            source = self._unchanged(number)
            seen: set[str] = set()
            with source.path.open("rb") as stream:
                for position in np.flatnonzero((self._index.source == number) & (self._index.seconds > 0)):
                    written = self._row(stream, source, int(position))["wav_path"]
                    if written not in seen:
                        seen.add(written)
                        yield number, written, Path(resolve_path(written, source.folder))

    def __iter__(self) -> Iterator[Utterance]:
        """The utterances in the order of the split; each file is opened once.

        Raises:
            ChangedFileError: where a file has changed since it was opened.
        """
        for number in range(len(self._files)):
            source = self._unchanged(number)
            with source.path.open("rb") as stream:
                for position in np.flatnonzero(self._index.source == number):
                    yield self._read(stream, source, int(position))

    def written_rows(self, positions: Iterable[int]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rows at these positions as they are written, each with the folder that its `wav_path` starts from.

        Raises:
            ChangedFileError: where a file has changed since it was opened.
        """
        with ExitStack() as stack:
            streams: dict[int, BinaryIO] = {}
            for position in positions:
                number = int(self._index.source[position])
                if number not in streams:
                    streams[number] = stack.enter_context(self._unchanged(number).path.open("rb"))
                yield self._files[number].folder, self._row(streams[number], self._files[number], position)

    def _unchanged(self, number: int) -> SourceFile:
        source = self._files[number]
        if _stamp(source) != self._stamps[number]:
            raise ChangedFileError(_changed(source))
        return source

    def _row(self, stream: BinaryIO, source: SourceFile, position: int) -> dict[str, Any]:
        try:
            return read_row_from(stream, int(self._index.offset[position]), int(self._index.num_bytes[position]))
        except RowFaultError:
            raise ChangedFileError(_changed(source)) from None

    def _read(self, stream: BinaryIO, source: SourceFile, position: int) -> Utterance:
        row = self._row(stream, source, position)
        place = f"{source.shown}:{self._index.line[position]}"
        return make_utterance(row, source.rules, folder=source.folder, place=place)


def _changed(source: SourceFile) -> str:
    return f"manifest `{source.shown}` has changed since it was opened. Start again with the file as it is now."


def _refuse_empty(files: Sequence[SourceFile], num_left_out: int) -> None:
    names = ", ".join(f"`{file.shown}`" for file in files)
    reason = f": its label map leaves out every row, {num_left_out} in all" if num_left_out else ""
    raise DataError(f"the split of {names} holds no utterance{reason}.")


_UNLABELLED: Final = -1


def _sizes(index: RowIndex, *, found: Sequence[str], names: Sequence[str]) -> UtteranceSizes:
    codes = {name: code for code, name in enumerate(names)}
    recode = np.array([*(codes[name] for name in found), _UNLABELLED], dtype=np.int32)  # (labels + 1,)
    labels = recode[index.label]  # (utterances,); -1 reads the last entry
    return UtteranceSizes(audio_seconds=index.seconds, text_words=index.words, labels=labels)
