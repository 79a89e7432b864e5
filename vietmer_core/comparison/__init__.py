"""Comparing trained models over the same utterances: paired tests, intervals of differences, effect sizes."""
