"""Rows of one subject taken out of tables: text, JSON lines, Parquet and Arrow.

`rows.rewriting` is the way in.  The only room that may import pyarrow, which is an optional extra.
"""
