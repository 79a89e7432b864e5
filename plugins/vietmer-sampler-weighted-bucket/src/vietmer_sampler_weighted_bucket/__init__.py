"""Draws weighted by class, in batches of like length, for VietMER."""
