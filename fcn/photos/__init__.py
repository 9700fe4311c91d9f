"""From a file's bytes to a photo, and from a photo to the network's input."""
