"""What a teacher sets in a link, and the panel that makes such links."""
