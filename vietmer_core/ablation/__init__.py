"""Controlled ablations: a matrix of experiments, expanded and validated as a whole, run cell by cell, never twice."""
