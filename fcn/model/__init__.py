"""The network, its trained weights and cards, and the only way from a photo to labels."""
