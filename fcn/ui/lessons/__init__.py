"""Explanations with figures, one after the other on a page."""
