"""What is said of a hook that fails: which one, why, and the user's lines of it."""

from typing import TYPE_CHECKING

from tiamat.errors import StartupError
from tiamat.gateways.loader import reason, without_ours

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.observe.log import Log


def report(log: "Log", name: str, error: BaseException, where: str = "") -> None:
    """
    Log that a hook failed, and go on.

    Args:
        log: where to.
        name: of the setting.
        error: what it raised.
        where: the process, with what stands between it and the rest.
    """
    log.error(
        *("%sthe hook %s failed: %s", where, name, reason(error)),
        exc_info=without_ours(error),
    )


def must(config: "Config", name: str, *args: object) -> None:
    """
    Call a hook without which there can't be a start, if there is one.

    Raises:
        StartupError: it failed; ``__cause__`` is the exception, for the log.
        SystemExit: it wants no start.
    """
    hook = getattr(config, name)
    if hook is None:
        return
    try:
        hook(*args)
    except Exception as error:
        text = f"the hook {name} failed: {reason(error)}"
        raise StartupError(text) from without_ours(error)
