"""The transcript alone: the text baseline of VietMER."""
