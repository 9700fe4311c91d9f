"""Semantic segmentation with fully convolutional networks: one coarse score map, two ways to upsample it."""
