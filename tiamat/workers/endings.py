"""How a worker ends: its exit statuses, and what the master hears of a failed boot."""

import traceback
from typing import Final

from tiamat.errors import StartupError, TiamatError
from tiamat.system.messages import Failed

BOOT_FAILED: Final = StartupError.exit_status

CRASHED: Final = 255
"""Exit status after an exception that is ours, or a worker class's, as gunicorn's."""

ABORTED: Final = 1
"""Exit status after SIGABRT, as gunicorn's."""


def failure(error: TiamatError) -> Failed:
    """What the master hears of an error at boot: with the user's traceback, if any."""
    text = str(error)
    if error.__cause__ is not None:
        text += "\n" + "".join(traceback.format_exception(error.__cause__)).rstrip()
    return Failed(error.exit_status, text)
