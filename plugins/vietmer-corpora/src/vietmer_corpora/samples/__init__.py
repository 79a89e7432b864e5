"""Small sources in the layouts of the corpora, with content that is made up: what the conformance checks read."""
