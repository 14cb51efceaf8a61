"""Erasure: records of a remote's journal, verified and folded into what must be obeyed, and carried out."""
