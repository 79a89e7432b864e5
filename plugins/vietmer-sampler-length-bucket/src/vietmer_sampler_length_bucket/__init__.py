"""Batches of utterances of like length, for VietMER."""
