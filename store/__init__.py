"""Where memories are kept: notes, and the forms made of them. Knows no model."""
