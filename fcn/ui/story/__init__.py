"""The story from photo to pixels: one picture that changes continuously."""
