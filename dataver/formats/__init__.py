"""Bytes to model and back, one module per chapter of docs/format.md; opens no file.

Every parser checks limits before it allocates and that encoding what it decoded gives the same
bytes: a thing has exactly one valid encoding.
"""
