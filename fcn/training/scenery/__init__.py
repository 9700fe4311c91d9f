"""The parts of a synthetic street scene, from the world and its canvas to the camera."""
