"""Vietnamese transcripts for pretrained encoders: made uniform, read out, segmented into words, cut into subwords."""
