"""Erasure: records of a remote's journal, verified and folded into what must be obeyed.

This release reads and obeys records; it writes none.
"""
