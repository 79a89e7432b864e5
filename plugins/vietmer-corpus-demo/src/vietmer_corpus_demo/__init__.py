"""A small synthetic corpus of Vietnamese support calls."""
