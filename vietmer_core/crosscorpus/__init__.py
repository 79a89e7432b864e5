"""Training on each corpus and testing on each, through a label map."""
