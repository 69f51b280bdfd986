"""gunicorn's exceptions."""


class HaltServer(BaseException):
    """
    Ends the server.

    Args:
        reason: for the log.
        exit_status: of the command.
    """

    def __init__(self, reason: str, exit_status: int = 1) -> None:
        self.reason = reason
        self.exit_status = exit_status

    def __str__(self) -> str:
        return f"<HaltServer {self.reason!r} {self.exit_status}>"


class ConfigError(Exception):
    """A setting, or a configuration file, is wrong."""


class AppImportError(Exception):
    """There is no such application."""
