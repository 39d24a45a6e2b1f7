"""Dates, times, numbers and money as people of a language read them, in the venue's zone."""

import re
from datetime import date as local_day
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_gmt
from babel.numbers import format_currency, get_currency_precision

from servicekit.money import Money

# English of a continent that counts hours to 24: "19:30" is plain to everybody.
_LOCALES = {"en": Locale("en", "GB"), "fr": Locale("fr", "FR")}


class Formats:
    """The formats of one language."""

    def __init__(self, language: str) -> None:
        self._locale = _LOCALES[language]

    def date(self, moment: datetime, zone: str) -> str:
        """Like "Sunday, 31 October 2027"."""
        return self.day(moment.astimezone(ZoneInfo(zone)))

    def time(self, moment: datetime, zone: str) -> str:
        """Like "19:30"."""
        return format_time(moment, "HH:mm", tzinfo=ZoneInfo(zone), locale=self._locale)

    def short(self, moment: datetime, zone: str) -> str:
        """Like "31 Oct"."""
        return self.short_day(moment.astimezone(ZoneInfo(zone)))

    def day(self, day: local_day) -> str:
        """Like `date`, of a local day."""
        return self._first(format_date(day, "full", locale=self._locale))

    def short_day(self, day: local_day) -> str:
        """Like `short`, of a local day."""
        return self._first(format_date(day, "d MMM", locale=self._locale))

    def zone(self, moment: datetime, zone: str) -> str:
        """Like "Europe/Paris, GMT+02:00": the offset tells the two 02:30 of an autumn night apart."""
        offset = get_timezone_gmt(moment.astimezone(ZoneInfo(zone)), width="long", locale=self._locale)
        return f"{zone.replace('_', ' ')}, {offset}"

    def money(self, money: Money) -> str:
        """Like "€70.00"."""
        amount = Decimal(money.amount).scaleb(-get_currency_precision(money.currency))
        return format_currency(amount, money.currency, locale=self._locale)

    def _first(self, date: str) -> str:
        """French counts the first day of a month as "1er", which CLDR leaves out."""
        return re.sub(r"\b1 ", "1er ", date, count=1) if self._locale.language == "fr" else date

    def plural(self, count: int) -> str:
        """The plural category of a number (CLDR): "one" or "other"."""
        return str(self._locale.plural_form(count))
