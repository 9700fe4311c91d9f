"""Watch it learn: runs that are played, and training in front of the visitor."""
