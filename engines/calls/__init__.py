"""Reading and writing by calls: a grammar, its constraint on decoding, and an engine that runs what a model calls."""
