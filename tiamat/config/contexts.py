"""
From settings to a context of TLS.

A module of its own, since it loads ``ssl``, which a plain server does without.
"""

import ssl

from tiamat.config.config import Config
from tiamat.errors import TLSError
from tiamat.system.dev_tls import dev_certificate
from tiamat.system.tls import Certificate, TLSValues
from tiamat.system.tls import make_context as make_default


def make_context(config: Config) -> ssl.SSLContext:
    """
    The context that the settings ask for.

    Raises:
        TLSError: a file can't be used, or the hook has failed.
    """

    def make() -> ssl.SSLContext:
        certificates = [Certificate(*item) for item in config.certificates]
        if config.dev_tls:
            certificates = [Certificate(dev_certificate()[0])]
        if not certificates:
            raise TLSError("certfile is not set, so there is no default context")
        return make_default(
            TLSValues(
                certificates=certificates,
                password=config.keyfile_password,
                ca_certs=config.ca_certs,
                cert_reqs=config.cert_reqs,
                ciphers=config.ciphers,
            )
        )

    hook = config.ssl_context
    if hook is None:
        return make()
    try:
        context = hook(config, make)
    except TLSError:
        raise
    except Exception as error:
        raise TLSError(f"the hook ssl_context failed: {error!r}") from error
    if not isinstance(context, ssl.SSLContext):
        kind = type(context).__name__
        raise TLSError(f"the hook ssl_context returned {kind}, not an SSLContext")
    return context
