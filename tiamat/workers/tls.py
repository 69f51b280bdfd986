"""From settings to TLS: read before a worker gives up its privileges."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tiamat.config import Config
from tiamat.observe.log import Log
from tiamat.system.listener import Listener

if TYPE_CHECKING:  # loads ssl, which a plain worker does without
    from tiamat.drivers.security import Security


def make_security(
    cfg: Config, log: Log, listeners: Iterable[Listener]
) -> "Security | None":
    """
    What the connections of a worker need for TLS; None if they are to have none.

    Args:
        cfg: whether they have, and by which files.
        log: what is wrong with new files.
        listeners: some of them may have none all the same.

    Raises:
        TLSError: a file can't be used.
    """
    if not cfg.is_ssl:
        return None
    from tiamat.config.contexts import make_context
    from tiamat.drivers.security import Security

    if cfg.dev_tls:
        from tiamat.system.dev_tls import dev_certificate

        log.info("--dev-tls: signed by %s", dev_certificate()[1])
    return Security(
        lambda: make_context(cfg),
        cfg.tls_files,
        log,
        ragged=cfg.suppress_ragged_eofs,
        plain=[one.fileno() for one in listeners if one.plain],
    )
