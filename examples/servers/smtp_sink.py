"""
Takes mail and throws it away; the log says from whom. Needs aiosmtpd.

    tiamat -s examples/servers/smtp_sink.py -b 127.0.0.1:2525
"""

from aiosmtpd.smtp import SMTP


class Sink:
    """What becomes of a message."""

    def __init__(self, log):
        self.log = log

    async def handle_DATA(self, server, session, envelope):
        self.log.info(
            "mail from %s to %s, %d bytes",
            *(envelope.mail_from, ", ".join(envelope.rcpt_tos), len(envelope.content)),
        )
        return "250 thank you"


async def run(config):
    """What makes a protocol for each connection."""
    sink = Sink(config.logger)
    return lambda: SMTP(sink, hostname="sink.example", ident="Tiamat")
