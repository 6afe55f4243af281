"""Every setting, explained."""

import textwrap
from collections.abc import Iterable
from shutil import get_terminal_size

from houseprices.console.tables import in_terminal, print_table
from houseprices.setting_help import ExplainedSetting


def print_settings(settings: Iterable[ExplainedSetting]) -> None:
    """Option and default with the accepted values and the meaning below; tab-separated for another program."""
    if not in_terminal():
        rows = [(f"--{one.name}", one.default, one.accepted, one.meaning) for one in settings]
        print_table("settings", ("setting", "default", "accepted", "meaning"), rows)
        return
    indent = "      "
    for one in settings:
        first = textwrap.wrap(f"--{one.name} {one.default}", get_terminal_size().columns, subsequent_indent=indent)
        below = [f"accepted: {one.accepted}", one.meaning]
        wrapped = [line for text in below for line in textwrap.wrap(
            text, get_terminal_size().columns, initial_indent=indent, subsequent_indent=indent)]  # fmt: skip
        print("\n".join([*first, *wrapped]))
