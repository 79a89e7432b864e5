"""The report of a run: one page that opens offline, tables, figures and a model card."""
