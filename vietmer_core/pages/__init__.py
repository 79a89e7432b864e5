"""HTML pages that open offline: their style, and how templates are filled in. Torch-free."""
