"""English by rules: words, their classes, phrases, clauses, and what the clauses state."""
