"""BiLSTM and cross-attention fusion of transcript and speech for VietMER."""
