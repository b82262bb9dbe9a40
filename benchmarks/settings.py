"""Settings of a server that has the tools of the benchmarks: those of production, and one more app."""

from chatbot.settings import *  # noqa: F403
from chatbot.settings import INSTALLED_APPS as APPS

INSTALLED_APPS = [*APPS, "benchmarks.acting"]
