"""Scoring a trained model: predictions, metrics, intervals, tables and pictures."""
