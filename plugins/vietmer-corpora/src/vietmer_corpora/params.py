"""Parameters of the importers. Torch-free."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1)]


class AudioFolderParams(BaseModel):
    """Parameters of `importer: audiofolder`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["audiofolder"] = "audiofolder"
    corpus: Name | None = None
    label_column: Name | None = None
    transcript_column: Name | None = None
    speaker_column: Name | None = None


class EmodbParams(BaseModel):
    """Parameters of `importer: emodb`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["emodb"] = "emodb"


class IemocapParams(BaseModel):
    """Parameters of `importer: iemocap`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["iemocap"] = "iemocap"
    disagreed: bool = False


class MeldParams(BaseModel):
    """Parameters of `importer: meld`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["meld"] = "meld"
    text_only: bool = False


class RavdessParams(BaseModel):
    """Parameters of `importer: ravdess`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["ravdess"] = "ravdess"
    song: bool = False


class SentivParams(BaseModel):
    """Parameters of `importer: sentiv`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["sentiv"] = "sentiv"
    part: Literal["both", "text", "speech"] = "both"
    audio: Path | None = None
    text_column: Name | None = None
    label_column: Name | None = None
    file_column: Name | None = None


class VisecParams(BaseModel):
    """Parameters of `importer: visec`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["visec"] = "visec"
    file_column: Name | None = None


class VlspParams(BaseModel):
    """Parameters of `importer: vlsp`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["vlsp"] = "vlsp"


class VnemosParams(BaseModel):
    """Parameters of `importer: vnemos`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["vnemos"] = "vnemos"


class VsmecParams(BaseModel):
    """Parameters of `importer: vsmec`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["vsmec"] = "vsmec"
