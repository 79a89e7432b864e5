"""The states of frozen encoders, computed once an utterance and read from the feature cache."""
