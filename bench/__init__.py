"""Repeatable measurements: what this service reaches on this machine, and how to measure it again.

`python -m bench` measures everything; `python -m bench NAME --database sqlite` one thing. Nothing here
asserts a time: figures are medians, printed with the machine's facts. Reading order: `machine`, `sites`,
`population`, then one module a measurement.
"""
