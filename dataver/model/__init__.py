"""What dataver is about, as frozen values and pure functions: no input, no output."""
