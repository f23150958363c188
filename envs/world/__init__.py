"""What exists in a world and how it looks; nothing here acts."""
