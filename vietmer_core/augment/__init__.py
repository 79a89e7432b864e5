"""Changes of a waveform in training, each drawn for an utterance from the seed, the epoch and its id. Torch-free."""
