"""Checks of `manage.py alguna_doctor`, which examines a deployment.

`runner` has the list of checks and runs them. `context` holds what they share, `report` their findings and the output,
`probes` the HTTP requests. Every other module contains checks, which are generators of findings. Checks change nothing:
they only read from Alguna, delete the entries that they add to the cache, and send no emails.
"""
