"""What all tests take for granted."""

import signal

# A background job of a shell ignores Ctrl-C, and so would the tests of it and their children.
signal.signal(signal.SIGINT, signal.default_int_handler)
