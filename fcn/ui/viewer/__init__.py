"""The linked pictures: photo, score map and segmentation."""
