"""What the commands show: progress and notices on stderr, scores and tables on stdout."""

from houseprices.console.listening import complain, listening

__all__ = ["complain", "listening"]
