"""The errors a user can mend; the command line prints each as it stands, without a traceback."""

from collections.abc import Sequence


class HousePricesError(Exception):
    """A failure that the user can mend; its text says what is wrong and what is accepted."""


class DataError(HousePricesError, ValueError):
    """Faults in a table, one line each: file, row, column, value and what is accepted; of many, the first five.

    Args:
        faults: a line each.
        counts: each fault in a word and a number, such as "LotArea 3", for those that have no line.
    """

    SHOWN = 5

    def __init__(self, faults: str | Sequence[str], counts: Sequence[str] = ()) -> None:
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        lines = self.faults[: self.SHOWN]
        if (n_more := len(self.faults) - self.SHOWN) > 0:
            rest = ", ".join(counts[self.SHOWN : 3 * self.SHOWN]) + (", ..." if len(counts) > 3 * self.SHOWN else "")
            lines.append(f"and {n_more} more faults" + (f": {rest}" if rest else ""))
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
    """A request that Kaggle, or the way to it, refused or failed."""


class SubmissionError(HousePricesError):
    """A submission that is not made, or that came back without a score."""


class LedgerError(HousePricesError):
    """A ledger that cannot be read or written."""
