"""Looking at the settings instead of serving."""

from tiamat.config import kinds
from tiamat.config.setting import Section, Setting


class Debugging(Section):
    """Looking before leaping"""

    check_config = Setting(
        "--check-config",
        type=kinds.switch,
        default=False,
        help="""
            Check all that can be checked without serving, and exit: 0 is good, 1 not.

            The settings, the application (it is imported, in a process of its own),
            worker class, logger, addresses and files; a line for each problem.
        """,
    )
    print_config = Setting(
        "--print-config",
        type=kinds.switch,
        default=False,
        help="Print every setting and where its value comes from, and exit.",
    )
