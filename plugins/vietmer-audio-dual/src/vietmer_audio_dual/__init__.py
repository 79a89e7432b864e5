"""An audio encoder of two halves: wav2vec2 frames and VGGish embeddings of the same moments."""
