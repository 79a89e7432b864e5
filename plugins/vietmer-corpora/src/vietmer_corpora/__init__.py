"""Importers of corpora of emotional speech and text, each in the layout in which it was published."""
