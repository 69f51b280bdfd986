"""TLS: certificates, keys, and who has to show one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from tiamat.config import kinds
from tiamat.config.code import hook
from tiamat.config.kinds import article, to_bool, to_count, to_text
from tiamat.config.setting import Kind, Section, Setting
from tiamat.system.addresses import split_tls

if TYPE_CHECKING:
    from tiamat.config.config import Config

Files: TypeAlias = tuple[str, str | None, tuple[str, ...]]
"""A certificate's file, that of its key if it is another, and for which names."""

REQUIREMENTS = {"none": 0, "optional": 1, "required": 2}


def to_certfile(value: object) -> Any:
    """A path, a list of paths and pairs, or a dictionary of names."""
    if isinstance(value, Mapping):
        if not value:
            raise ValueError("names no certificate")
        return {to_text(name): to_item(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("names no certificate")
        return [to_item(item) for item in value]
    return to_text(value)


def to_item(value: object) -> str | tuple[str, str]:
    """A file that has certificate and key, or a pair of files."""
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise ValueError("has a list of files that is no pair; write (cert, key)")
        return to_text(value[0]), to_text(value[1])
    if isinstance(value, str):
        return to_text(value)
    raise ValueError(f"has {article(value)} where a path or (cert, key) should be")


def to_cert_reqs(value: object) -> int:
    """Python's number, or a word for it; also its ``ssl.CERT_REQUIRED``."""
    if isinstance(value, str):
        word = value.strip().lower().removeprefix("cert_")
        if word in REQUIREMENTS:
            return REQUIREMENTS[word]
    try:
        number = to_count(value)
    except ValueError:
        number = 3
    if number > 2:
        raise ValueError("is none of none (0), optional (1), required (2)")
    return int(number)


certfile = Kind(to_certfile, "PATH")
cert_reqs = Kind(to_cert_reqs, "none|optional|required")
yes_or_no = Kind(to_bool, "true|false", bare="true")
anything = Kind(lambda value: value, "NAME")


class TLS(Section):
    """TLS"""

    certfile = Setting(
        "--certfile",
        type=kinds.optional(certfile),
        default=None,
        help="""
            The certificate, PEM, with those between it and its root behind it.

            With one, every address of `bind` speaks TLS and nothing else. The file may
            have the key, too. In a configuration file there may be several, and each
            client gets the one for the name that it asks for; others get the first:
            `["a.pem", ("b.crt", "b.key")]`, or
            `{"a.example": ("a.crt", "a.key"), "*.b.example": "b.pem"}`.
            See tls.md.
        """,
    )
    keyfile = Setting(
        "--keyfile",
        type=kinds.optional(kinds.path),
        default=None,
        help="""
            The key of `certfile`, PEM, if it is in a file of its own.

            Root alone should be able to read it: workers do before they become `user`.
        """,
    )
    keyfile_password = Setting(
        type=kinds.optional(kinds.text),
        default=None,
        help="What keys are encrypted with.",
    )
    ca_certs = Setting(
        "--ca-certs",
        type=kinds.optional(kinds.path),
        default=None,
        help="The certificates, PEM, of those whose word about clients is taken.",
    )
    cert_reqs = Setting(
        "--cert-reqs",
        type=cert_reqs,
        default=0,
        help="""
            Whether clients show a certificate: `none`, `optional` or `required`.

            Also 0, 1, 2. One that `ca_certs` does not vouch for ends the handshake.
        """,
    )
    ciphers = Setting(
        "--ciphers",
        type=kinds.optional(kinds.text),
        default=None,
        help="""
            The ciphers of TLS 1.2, as OpenSSL writes them; those of 1.3 are its own.
        """,
    )
    redirect_http = Setting(
        "--redirect-http",
        type=kinds.switch,
        default=False,
        help="""
            Send who speaks plain HTTP to an address with TLS to https:// (308).

            Without it such a request is answered with 400. Nothing else is ever served
            in plain text there.
        """,
    )
    dev_tls = Setting(
        "--dev-tls",
        type=kinds.switch,
        default=False,
        help="""
            Use a certificate for localhost that is made here, for development.

            Needs `pip install 'tiamat-server[dev-tls]'`. It is kept, with its key, in
            a directory of your own below the system's for temporary files; the log says
            where its authority is, for clients to trust.
        """,
    )
    ssl_version = Setting(
        "--ssl-version",
        type=anything,
        default=None,
        help="""
            Has no effect, as in gunicorn: TLS 1.2 is the least.

            The hook `ssl_context` may ask for more.
        """,
    )
    do_handshake_on_connect = Setting(
        "--do-handshake-on-connect",
        type=kinds.switch,
        default=False,
        help="""
            Has no effect: a handshake begins with the client's first byte.

            Nobody waits for it but that client, at most `header_timeout`.
        """,
    )
    suppress_ragged_eofs = Setting(
        "--suppress-ragged-eofs",
        type=yes_or_no,
        default=True,
        help="""
            Whether a client that goes without saying so (close_notify) has just ended.

            If not, its requests are not answered any more. A body that is cut off is
            incomplete in any case. Not under asgi, where the loop decides: it has.
        """,
    )
    ssl_context = Setting(
        type=hook("config", "default_ssl_context_factory"),
        default=None,
        help="""
            Returns the `ssl.SSLContext` of a worker, at start and for new files.

            In the worker, before it gives up its privileges. The factory makes the one
            that would be used without the hook. A hook without `certfile` is enough
            for TLS.
        """,
    )

    @property
    def is_ssl(self) -> bool:
        """Whether the addresses of ``bind`` speak TLS; but ``plain://``."""
        return bool(self.certfile or self.keyfile or self.ssl_context or self.dev_tls)

    @property
    def scheme(self) -> str:
        """That of addresses in ``bind``, for people."""
        return "https" if self.is_ssl else "http"

    @property
    def certificates(self) -> list[Files]:
        """The certificates, the one for everybody else first."""
        value = self.certfile
        if not value:
            return []
        if isinstance(value, str):
            return [(value, self.keyfile, ())]
        if isinstance(value, dict):
            return [(*pair(item), (name,)) for name, item in value.items()]
        return [(*pair(item), ()) for item in value]

    @property
    def tls_files(self) -> list[str]:
        """All files that are read for TLS."""
        names = [name for cert, key, _ in self.certificates for name in (cert, key)]
        return [name for name in (*names, self.ca_certs) if name]


def pair(item: str | tuple[str, str]) -> tuple[str, str | None]:
    """The files of certificate and key; None if they are the same."""
    return (item, None) if isinstance(item, str) else item


def finish(config: "Config") -> None:
    """
    Check what takes more than one of these settings.

    Raises:
        ConfigError: they do not fit together.
    """
    if config.dev_tls and config.certfile:
        config.refuse("dev_tls", "and certfile: one of them is enough")
    if config.keyfile and not config.certfile and config.ssl_context is None:
        config.refuse("keyfile", "has no certificate to it; set certfile")
    if config.keyfile and isinstance(config.certfile, dict | list):
        config.refuse("keyfile", "is for one certfile; write pairs: (cert, key)")
    if config.cert_reqs and not config.ca_certs and config.ssl_context is None:
        config.refuse("cert_reqs", "needs ca_certs: who vouches for clients?")
    for name in ("cert_reqs", "ca_certs", "redirect_http", "keyfile_password"):
        if config.values[name] and not config.is_ssl:
            config.refuse(name, "has no effect without TLS; set certfile")
    check_addresses(config)
    if config.ssl_version is not None:
        where = config.origin("ssl_version")
        config.warnings.append(
            f"{where}: ssl_version has no effect: TLS 1.2 is the least; the hook"
            " ssl_context may ask for more"
        )


def check_addresses(config: "Config") -> None:
    """
    An address with ``tls://`` has TLS.

    Raises:
        ConfigError: it can't have.
    """
    if split_tls(config.status_bind or "")[0]:
        config.refuse("status_bind", "never has TLS")
    for bind in config.bind:
        if split_tls(bind)[0] and not config.is_ssl:
            config.refuse("bind", f"{bind!r} has no certificate; set certfile")
