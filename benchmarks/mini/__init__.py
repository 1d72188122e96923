"""The recipe of tercet-mini, a small language model that reads memories: see ``train.py``."""
