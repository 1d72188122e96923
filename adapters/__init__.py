"""Doors to agents, chatbots and people."""
