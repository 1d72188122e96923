"""What runs a model: words into forms, memories into a prompt or into attention."""
