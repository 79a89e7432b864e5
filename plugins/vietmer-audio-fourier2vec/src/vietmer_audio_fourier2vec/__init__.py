"""An audio encoder trained from scratch: Fourier transform, log-mel bands, patches, Transformer."""
