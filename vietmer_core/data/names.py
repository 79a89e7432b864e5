"""Names of speakers, recordings and corpora as they are compared. Torch-free."""

import unicodedata


def name_key(name: str) -> str:
    """The name in NFC, without case and spaces at its ends; runs of spaces are one. Empty where nothing is left.

    Two names of one key are one name, written by two hands.
    """
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
