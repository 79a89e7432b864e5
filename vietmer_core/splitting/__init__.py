"""Splits of a corpus that do not leak: holdout, grouped k-fold, one speaker or corpus left out. Torch-free.

Rows that share a speaker, a recording or what else is named form a group, and no group is cut; within that the labels
are spread as evenly as the groups allow. The page on splits says how.
"""
