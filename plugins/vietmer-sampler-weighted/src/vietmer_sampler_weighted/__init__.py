"""Draws with replacement, in which rare classes come as often as frequent ones, for VietMER."""
