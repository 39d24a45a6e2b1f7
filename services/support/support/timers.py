"""What is due in support: rounds that forget what is long over."""

from servicekit.purging import PURGE
from servicekit.timers import Handlers
from support.app import App
from support.usecases.purges import purge

TIMERS: Handlers[App] = {PURGE: purge}
