"""Disposable local state: what was known of files when they were last looked at.

Losing or damaging any of it costs time, never truth: every block is checked before it is used,
and it is plain data that cannot run code.
"""
