"""Where a photo comes from: samples, uploads, masks."""
