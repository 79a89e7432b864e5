"""Trials of a VietMER search, proposed by Optuna."""
