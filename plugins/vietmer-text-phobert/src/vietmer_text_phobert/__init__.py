"""A text encoder that loads PhoBERT, a RoBERTa trained on word-segmented Vietnamese."""
