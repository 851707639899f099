"""The asset graph: one asset unwraps its resources, calls one function of a room, attaches metadata.

The only package, with definitions and cli, that imports dagster.
"""
