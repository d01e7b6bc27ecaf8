"""Generator for the parts of the reference that come from the code: `make reference` writes them into their pages.

    docstrings          settings, checks, signals, log events and exceptions, from the modules and their docstrings
    django_objects      template tags, commands, models and URLs, from Django's registries
    pages               replaces the generated part of a page and keeps the handwritten parts

The generated text is committed, so that it can be read in the repository. Tests fail if it's out of date.
"""
