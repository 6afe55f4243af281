"""The lesson on what has been learnt since the textbook's chapter, an experiment a module."""
