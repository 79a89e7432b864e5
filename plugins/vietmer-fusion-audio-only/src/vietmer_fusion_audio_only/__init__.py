"""The speech alone: the audio baseline of VietMER."""
