"""Cross-attention fusion of transcript and speech for VietMER."""
