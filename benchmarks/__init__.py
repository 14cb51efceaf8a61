"""The benchmark suite: dataver beside DVC, git-lfs, `cp -r`, `git status` and bare lstat.

`python -m benchmarks` runs it and writes docs/benchmarks.md; `python -m benchmarks --help` lists the options.
It stands outside the package: it knows dataver only as a program on the command line, as it knows its peers.
"""
