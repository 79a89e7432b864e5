"""`vietmer demo`: text alone, voice alone and both, trained on the shipped synthetic corpus and laid side by side."""
