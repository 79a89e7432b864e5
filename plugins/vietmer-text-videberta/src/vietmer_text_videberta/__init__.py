"""A text encoder that loads ViDeBERTa, a DeBERTa-v3 trained on word-segmented Vietnamese."""
