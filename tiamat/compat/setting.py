"""gunicorn's class of settings, which plugins derive theirs from, and ours as such."""

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tiamat.compat import settings, validators
from tiamat.config.setting import Setting as OurSetting

if TYPE_CHECKING:
    from tiamat.config.config import Config as OurConfig

KNOWN_SETTINGS: Final[list[Any]] = []
"""The classes of all settings: those of ours, and what plugins add."""


class SettingMeta(type):
    """Keeps the classes of settings in ``KNOWN_SETTINGS``, in their order."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]
    ) -> "SettingMeta":
        if not attrs.get("name"):  # a base
            return super().__new__(cls, name, bases, attrs)
        attrs["order"] = len(KNOWN_SETTINGS)
        if attrs.get("validator"):
            attrs["validator"] = staticmethod(attrs["validator"])
        made = super().__new__(cls, name, bases, attrs)
        made.fmt_desc(attrs.get("desc") or "")
        KNOWN_SETTINGS.append(made)
        return made

    def fmt_desc(cls, desc: str) -> None:
        """Take the description: its first line is the short one."""
        lines = desc.strip().splitlines() or [""]
        cls.desc, cls.short = desc.strip(), lines[0]


class Setting(metaclass=SettingMeta):
    """
    A setting and its value; a subclass with a name is a setting that there is.

    Attributes:
        raw: what somebody said for the value; ``UNSAID`` if nobody did.
        config: our settings that it shows, if it does.
        reads: what makes a value of the text of a flag, instead of ``type``.
    """

    name: ClassVar[str | None] = None
    section: ClassVar[str | None] = None
    cli: ClassVar[list[str] | None] = None
    validator: ClassVar[Any] = None
    type: ClassVar[Any] = None
    meta: ClassVar[str | None] = None
    action: ClassVar[str | None] = None
    default: ClassVar[Any] = None
    short: ClassVar[str | None] = None
    desc: ClassVar[str | None] = None
    nargs: ClassVar[int | str | None] = None
    const: ClassVar[Any] = None
    order: ClassVar[int] = 0
    UNSAID: ClassVar[object] = object()
    reads: ClassVar[Any] = None

    raw: Any = UNSAID
    config: "OurConfig | None" = None
    kept: Any = None

    def __init__(self) -> None:
        if self.default is not None:
            self.kept = self.checked(self.default)

    @property
    def value(self) -> Any:
        """The value."""
        if self.config is None:
            return self.kept
        name = str(self.name)
        return settings.theirs(name, self.config.values[name], self.config)

    @value.setter
    def value(self, value: Any) -> None:
        self.kept = self.raw = value

    def checked(self, value: Any) -> Any:
        """
        The value that somebody's value is.

        Raises:
            TypeError, ValueError: it is none.
        """
        if not callable(self.validator):
            raise TypeError(f"{self.name}: {self.validator!r} can't check values")
        return self.validator(value)

    def get(self) -> Any:
        """The value."""
        return self.value

    def set(self, val: Any) -> None:
        """
        Set the value; one that shows ours sets that.

        Raises:
            TypeError, ValueError, ConfigError: it is no value for this setting.
        """
        if self.config is not None:
            self.config.set(str(self.name), val)
        else:
            self.kept = self.checked(val)
            self.raw = val

    def copy(self) -> "Setting":
        """A setting of its own, with the same value."""
        return copy.copy(self)

    def add_option(self, parser: Any) -> None:
        """Make its flags known; None is the value of what nobody gives."""
        if not self.cli:
            return
        options = {
            "dest": self.name,
            "action": self.action or "store",
            "type": self.reads or (self.type if callable(self.type) else str),
            "help": (self.short or "").replace("%", "%%"),
            "metavar": self.meta,
            "nargs": self.nargs,
            "const": self.const,
        }
        if options["action"] not in ("store", "append"):
            options.update(type=None, metavar=None, nargs=None)
        present = {key: value for key, value in options.items() if value is not None}
        parser.add_argument(*self.cli, default=None, **present)

    def __lt__(self, other: "Setting") -> bool:
        return (self.section, self.order) < (other.section, other.order)

    __cmp__ = __lt__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.value!r}>"


class Known(Setting):
    """One of our settings; it reads texts by our rules."""

    reads = str

    def __init__(self) -> None:
        self.kept = copy.copy(self.default)

    def checked(self, value: Any) -> Any:
        """The value, by our rules."""
        name = str(self.name)
        return settings.theirs(name, validators.of(name, value))


def known(section: str, origin: OurSetting[Any]) -> Any:
    """The class of one of our settings."""
    usual = settings.default(origin)
    action = {"values": "append", "value": None}.get(
        origin.kind.takes, "store_const" if origin.default else "store_true"
    )
    attributes = {
        "name": origin.name,
        "section": section,
        "cli": list(origin.flags) or None,
        "validator": origin.kind.convert,
        "type": callable if callable(usual) else whole(origin.default),
        "meta": origin.kind.metavar or None,
        "action": action,
        "nargs": "?" if origin.kind.bare else None,
        "const": origin.kind.bare or (False if action == "store_const" else None),
        "default": staticmethod(usual) if callable(usual) else usual,
        "desc": origin.help,
    }
    if callable(usual):
        attributes[origin.name] = usual
    return SettingMeta(settings.class_name(origin.name), (Known,), attributes)


def whole(value: Any) -> Any:
    """The type of whole numbers, if it is one; gunicorn's times are."""
    return int if isinstance(value, int | float) and value is not bool(value) else None
