"""Long commands over many rows: at a pace, in threads, to be interrupted and gone on with.

commands   what such commands have in common, for whoever types them
reading    rows, some at a time
runs       the loop: rows in, Alguna asked, what came of it stored
pace       how often all may ask together, and how they leave Alguna alone
crew       threads, and Ctrl-C
tally      what became of the rows
progress   how far it is, on a terminal or in a log
"""
