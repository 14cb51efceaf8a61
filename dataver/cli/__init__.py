"""The command line: reads arguments, calls `dataver`, draws what it returns.

Stands on the public names of `dataver` alone, which proves them complete.
"""
