"""The errors a user can mend; the command line prints each as it stands, without a traceback."""

from collections import Counter
from collections.abc import Sequence


class HousePricesError(Exception):
    """A failure that the user can mend; its text says what is wrong and what is accepted."""


class DataError(HousePricesError, ValueError):
    """Faults in a table, one line each: file, row, column, value and what is accepted; many are counted by column."""

    SHOWN = 5

    def __init__(self, faults: Sequence[str], columns: Sequence[str] = ()) -> None:
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        lines = self.faults[: self.SHOWN]
        if n_more := len(self.faults) - len(lines):
            by_column = Counter(columns[self.SHOWN :]).most_common()
            counts = ", ".join(f"{column} {n_faults}" for column, n_faults in by_column)
            lines.append(f"and {n_more} more faults" + (f": {counts}" if counts else ""))
        super().__init__("\n".join(lines))


class SettingsError(HousePricesError, ValueError):
    """A setting that is unknown or out of range; names the setting, its value and what is accepted."""


class ColumnsError(HousePricesError, ValueError):
    """A file of own columns that cannot be read or run, or that gives something else; names file, column and house."""


class RunError(HousePricesError):
    """A run folder that cannot be written or read."""


class ResourceError(HousePricesError):
    """A job that asks for what this machine has not: memory, a GPU."""


class OutOfMemoryError(ResourceError):
    """A network that is too large for the memory, where a smaller one would train."""


class DownloadError(HousePricesError):
    """Files that could not be fetched, or that are not the competition's; nothing was put in place."""


class KaggleError(HousePricesError):
    """What Kaggle, or the way to it, refused or failed."""


class SubmissionError(HousePricesError):
    """A submission that is not made, or that came back without a score."""


class LedgerError(HousePricesError):
    """A ledger that cannot be read or written."""
