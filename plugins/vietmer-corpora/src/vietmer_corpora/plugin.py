"""What this plugin offers: an importer for each corpus that it knows. Torch-free."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from vietmer_core.components import Component, Role
from vietmer_core.data.importing import Importer
from vietmer_core.hooks import hookimpl
from vietmer_corpora import params as of
from vietmer_corpora.audiofolder import AudioFolderImporter
from vietmer_corpora.emodb import EmodbImporter
from vietmer_corpora.iemocap import IemocapImporter
from vietmer_corpora.meld import MeldImporter
from vietmer_corpora.ravdess import RavdessImporter
from vietmer_corpora.samples import dialogues, speech, texts
from vietmer_corpora.sentiv import SentivImporter
from vietmer_corpora.visec import VisecImporter
from vietmer_corpora.vlsp import VlspImporter
from vietmer_corpora.vnemos import VnemosImporter
from vietmer_corpora.vsmec import VsmecImporter

UNSTATED: Final = "none stated"


def build_audiofolder(params: of.AudioFolderParams) -> Importer:
    """Make `importer: audiofolder`."""
    return AudioFolderImporter(
        corpus=params.corpus,
        label_column=params.label_column,
        transcript_column=params.transcript_column,
        speaker_column=params.speaker_column,
    )


def build_emodb(params: of.EmodbParams) -> Importer:  # noqa: ARG001  # the signature of its role
    """Make `importer: emodb`."""
    return EmodbImporter()


def build_iemocap(params: of.IemocapParams) -> Importer:
    """Make `importer: iemocap`."""
    return IemocapImporter(disagreed=params.disagreed)


def build_meld(params: of.MeldParams) -> Importer:
    """Make `importer: meld`."""
    return MeldImporter(text_only=params.text_only)


def build_ravdess(params: of.RavdessParams) -> Importer:
    """Make `importer: ravdess`."""
    return RavdessImporter(song=params.song)


def build_sentiv(params: of.SentivParams) -> Importer:
    """Make `importer: sentiv`."""
    return SentivImporter(
        part=params.part,
        audio=params.audio,
        text_column=params.text_column,
        label_column=params.label_column,
        file_column=params.file_column,
    )


def build_visec(params: of.VisecParams) -> Importer:
    """Make `importer: visec`."""
    return VisecImporter(file_column=params.file_column)


def build_vlsp(params: of.VlspParams) -> Importer:  # noqa: ARG001  # the signature of its role
    """Make `importer: vlsp`."""
    return VlspImporter()


def build_vnemos(params: of.VnemosParams) -> Importer:  # noqa: ARG001  # as above
    """Make `importer: vnemos`."""
    return VnemosImporter()


def build_vsmec(params: of.VsmecParams) -> Importer:  # noqa: ARG001  # as above
    """Make `importer: vsmec`."""
    return VsmecImporter()


def _importer(
    params: type[BaseModel],
    build: Callable[[Any], Importer],
    sample: Callable[[Path], None],
    *,
    summary: str,
    licence: str,
) -> Component:
    return Component(
        role=Role.IMPORTER,
        params=params,
        build=build,
        summary=summary,
        licence="Apache-2.0",
        data_licence=licence,
        write_sample=sample,
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """The importers."""
    return [*_vietnamese(), *_others()]


def _vietnamese() -> list[Component]:
    return [
        _importer(
            *(of.VisecParams, build_visec, speech.write_visec),
            summary="ViSEC: 5,280 clips, four emotions; folder with data.csv, or parquet of the hub.",
            licence=UNSTATED,
        ),
        _importer(
            *(of.VnemosParams, build_vnemos, speech.write_vnemos),
            summary="VNEMOS: 250 clips, five emotions; a folder for each.",
            licence=UNSTATED,
        ),
        _importer(
            *(of.SentivParams, build_sentiv, texts.write_sentiv),
            summary="SentiV: text and speech, seven and six emotions; its tables.",
            licence="CC-BY-NC-4.0",
        ),
        _importer(
            *(of.VsmecParams, build_vsmec, texts.write_vsmec),
            summary="UIT-VSMEC: 6,927 sentences, seven emotions; xlsx or csv, text alone.",
            licence="research only",
        ),
        _importer(
            *(of.VlspParams, build_vlsp, texts.write_vlsp),
            summary="VLSP 2016 and 2018: comments and reviews by polarity; text alone.",
            licence="CC-BY-NC-SA-4.0",
        ),
    ]


def _others() -> list[Component]:
    return [
        _importer(
            *(of.RavdessParams, build_ravdess, speech.write_ravdess),
            summary="RAVDESS: 1,440 spoken clips, eight emotions; all in the name.",
            licence="CC-BY-NC-SA-4.0",
        ),
        _importer(
            *(of.EmodbParams, build_emodb, speech.write_emodb),
            summary="EmoDB: 535 German clips, seven emotions; all in the name.",
            licence=UNSTATED,
        ),
        _importer(
            *(of.IemocapParams, build_iemocap, dialogues.write_iemocap),
            summary="IEMOCAP: 10,039 turns, ten emotions, soft labels of the raters.",
            licence="IEMOCAP release agreement",
        ),
        _importer(
            *(of.MeldParams, build_meld, dialogues.write_meld),
            summary="MELD: 13,708 utterances of dialogues, seven emotions; in its splits.",
            licence="GPL-3.0-only",
        ),
        _importer(
            *(of.AudioFolderParams, build_audiofolder, speech.write_audiofolder),
            summary="The hub's AudioFolder: audio with metadata.csv or metadata.jsonl, or a folder for each label.",
            licence="as the source states",
        ),
    ]
