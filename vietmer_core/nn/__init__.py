"""Mask-correct building blocks for components, the core's own and a plugin's."""
