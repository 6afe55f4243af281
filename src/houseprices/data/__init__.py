"""Raw CSV -> a typed, checked table; or a synthetic town in its place."""
