"""Cells of a VietMER matrix on a Ray cluster."""
