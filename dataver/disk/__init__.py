"""Local side effects, each in one place: writing, linking, hashing files, locks, other programs.

Nothing is re-exported: importers name the module that they use.
"""
