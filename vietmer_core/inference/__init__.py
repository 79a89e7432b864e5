"""A trained run as a function from speech and transcript to emotion probabilities."""
