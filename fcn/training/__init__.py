"""Training of the networks that the demo shows."""
