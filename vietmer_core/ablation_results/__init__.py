"""What a matrix found: the table of its groups, the effects of its axes, pictures and a page. Torch-free."""
