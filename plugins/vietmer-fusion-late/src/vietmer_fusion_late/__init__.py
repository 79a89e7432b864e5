"""Late fusion for VietMER: transcript and speech pooled apart, embeddings side by side."""
