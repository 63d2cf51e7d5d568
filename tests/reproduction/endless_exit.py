"""A program for the fork server whose process would not end by itself."""

import atexit
import sys
import time


def preload():
    """Nothing is slow to load here."""


def run():
    """Prints its arguments and ends with a code, but for what Python does last."""
    atexit.register(time.sleep, 600)
    print(*sys.argv[1:])
    sys.exit(int(sys.argv[1]))
