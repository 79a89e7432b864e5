"""A search over fields of a spec: each trial is a cell, scored on the validation split alone."""
