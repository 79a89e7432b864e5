"""Cells of a VietMER matrix as jobs of a Slurm cluster."""
