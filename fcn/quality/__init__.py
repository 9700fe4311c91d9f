"""Labels compared with ground truth."""
