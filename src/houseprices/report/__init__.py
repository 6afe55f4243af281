"""A run folder -> figures and one self-contained HTML page."""
