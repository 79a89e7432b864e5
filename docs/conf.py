"""Settings of the documentation: Sphinx, furo and MyST."""

from vietmer_core import __version__

project = "VietMER"
author = "The VietMER maintainers"
copyright = "The VietMER maintainers"
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"VietMER {release}"
html_show_sourcelink = False
myst_heading_anchors = 3
nitpicky = True
