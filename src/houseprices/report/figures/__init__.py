"""The figures of the page, each from the evidence alone."""
