"""Leaderboards from result files: what was tested differently never shares a table. Torch-free."""
