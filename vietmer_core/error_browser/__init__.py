"""The worst predictions of a run as a page to look at and to listen to. Torch-free."""
