"""The audio encoder `wav2vec2`: any wav2vec 2.0, HuBERT or WavLM checkpoint, exactly mask-correct."""
