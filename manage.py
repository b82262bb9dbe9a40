#!/usr/bin/env python
"""Django's command line for the chat."""

import os
import sys


def main() -> None:
    """Run the management command that the arguments name.

    A wrong setting ends it with one sentence, and so does a database that is away or full, unless --traceback asks.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        settings.DEBUG  # noqa: B018 (reads the settings)
    except ImproperlyConfigured as error:
        sys.exit(f"Wrong setting: {error}")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database cannot do that: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
