"""What the commands show: progress and notices on stderr, scores and tables on stdout."""

from houseprices.console.listening import complain, listening
from houseprices.console.own_bars import training_progress, waiting

__all__ = ["complain", "listening", "training_progress", "waiting"]
