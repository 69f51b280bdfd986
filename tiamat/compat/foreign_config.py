"""The settings, as code of gunicorn's and of its plugins reads them."""

import os
import ssl
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from tiamat.config.hooks import Hooks
from tiamat.config.tls import TLS

if TYPE_CHECKING:
    from tiamat.config import Config


def ignored(*args: object) -> None:
    """What is called where there is no hook."""


def default_context(config: Any, make: Any) -> Any:
    """gunicorn's ``ssl_context`` where nobody has set one."""
    return make()


class ForeignConfig:
    """
    A view of the settings under gunicorn's names.

    A hook that nobody has set can be called all the same.

    Args:
        config: ours.
    """

    def __init__(self, config: "Config") -> None:
        self._config = config

    def __getattr__(self, name: str) -> Any:
        if name == "_config":  # while it is being made
            raise AttributeError(name)
        value = getattr(self._config, name)
        if value is None and name in Hooks.settings:
            return ignored
        return value

    @property
    def ssl_context(self) -> Any:
        """The hook, or what makes the usual context."""
        return self._config.ssl_context or default_context

    @property
    def ssl_version(self) -> int:
        """What ``SSLContext`` takes: any version that is safe."""
        chosen = self._config.ssl_version
        return chosen if isinstance(chosen, int) else ssl.PROTOCOL_TLS_SERVER

    @property
    def ssl_options(self) -> dict[str, Any]:
        """The settings of TLS, by name."""
        return {name: getattr(self, name) for name in TLS.settings}

    @property
    def proc_name(self) -> str:
        """What processes are called."""
        return self._config.proc_name or str(self._config.app)

    @property
    def env_orig(self) -> dict[str, str]:
        """The environment as it was at the start."""
        return dict(self._config.sources.environ or os.environ)

    def forwarded_allow_networks(self) -> list[Any]:
        """Whose forwarding headers are believed."""
        return networks(self._config.forwarded_allow_ips)

    def proxy_allow_networks(self) -> list[Any]:
        """Who may speak the PROXY protocol."""
        return networks(self._config.proxy_allow_ips)


def networks(texts: list[str]) -> list[Any]:
    """The networks of a list of addresses; ``*`` is none."""
    return [ip_network(text) for text in texts if text != "*"]
