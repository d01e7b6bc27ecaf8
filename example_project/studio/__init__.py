"""Kilnkeeper: firing schedules and shelf space for shared pottery studios."""
