"""Hostile input, a file for each kind: what somebody who means harm sends, through the front door."""
