"""The HTTP door: one file per room, each route reads a shape, calls one use case and replies."""
