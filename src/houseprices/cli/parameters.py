"""Kinds of options that several commands have."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

AsJson = Annotated[bool, Parameter(name="--json", negative="")]
Flag = Annotated[bool, Parameter(negative="")]
"""An option that is given or not, without a --no- of its own."""
Override = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""Name or value of a setting, such as --folds.n_folds or 5."""
ColumnsOfRun = Annotated[Path | None, Parameter(name="--columns")]
"""The file of a run's own columns."""
FileOrStream = Annotated[Path, Parameter(allow_leading_hyphen=True)]
"""A file's name, or - for the standard input or output."""
