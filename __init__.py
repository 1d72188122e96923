"""Tercet gives an agent a memory it can write, read and forget."""
