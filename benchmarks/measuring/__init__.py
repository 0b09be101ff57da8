"""Measures an avatar in a room from outside: a sender, a viewer in a process of its own, marks.

The same probes sit at the SDK's boundary of every avatar that is measured, ours or LiveKit's own.
All times are the system's monotonic clock, which the processes of one machine share.
"""
