"""What code that was written for gunicorn asks of the settings, beside their names."""

from tiamat.config.listening import Listening
from tiamat.config.mechanics import Mechanics
from tiamat.config.processes import Processes


class GunicornNames(Mechanics, Processes, Listening):
    """gunicorn's other names"""

    @property
    def env(self) -> dict[str, str]:
        """``raw_env`` as a dictionary."""
        pairs = (variable.partition("=") for variable in self.raw_env)
        return {name: value for name, _, value in pairs}

    @property
    def paste_global_conf(self) -> dict[str, str]:
        """``raw_paste_global_conf`` as a dictionary."""
        pairs = (variable.partition("=") for variable in self.raw_paste_global_conf)
        return {name: value for name, _, value in pairs}

    @property
    def address(self) -> list[str]:
        """The addresses of ``bind``, as text."""
        return self.bind

    @property
    def uid(self) -> int:
        """The number of the workers' user."""
        return self.user

    @property
    def gid(self) -> int:
        """The number of the workers' group."""
        return self.group

    @property
    def worker_class_str(self) -> str:
        """The worker class in a word, as far as the settings say it."""
        kind = self.worker_class or "sync"
        name = kind if isinstance(kind, str) else kind.__name__
        return "gthread" if name == "sync" and self.threads > 1 else name
