"""What every test rests on: an interrupt interrupts, also where the suite was started in the background of a shell."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
