"""Run the suite: `python -m benchmarks`."""

import sys

from benchmarks.arguments import parse_arguments
from benchmarks.runner import run_suite

if __name__ == "__main__":
    sys.exit(run_suite(parse_arguments(sys.argv[1:])))
