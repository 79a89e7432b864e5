"""VietMER: emotion recognition from Vietnamese speech and its transcript."""

from typing import Final

__version__: Final = "0.1.0"
