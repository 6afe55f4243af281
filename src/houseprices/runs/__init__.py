"""The run folder: made, written, read back, predicted from."""
