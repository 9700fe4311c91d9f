"""From labels to pictures and files."""
