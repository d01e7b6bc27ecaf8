"""The parts of the reference that are made from the code: `make reference` writes them into its pages.

    code        settings, checks, signals, events and exceptions: what the modules and their docstrings say
    host        template tags, commands, models and addresses: what Django knows of them
    pages       what was made, put between the two marks of its page; what stands around them is written by hand

They are kept with the pages, so that they can be read in the repository; tests say where they are out of date.
"""
