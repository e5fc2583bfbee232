"""Outputs that rise, or bend, one way with some inputs: what may be declared, what it means for the
weights, and what weights keep of it."""
