"""What prepares utterances for a model: one frontend for each modality that it reads."""

import attrs

from vietmer_core.protocols import AudioFrontend, TextFrontend


@attrs.frozen(kw_only=True, eq=False)
class Frontends:
    """The frontends of the modalities that the model reads; None for one that it does not."""

    text: TextFrontend | None
    audio: AudioFrontend | None
