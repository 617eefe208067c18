"""The edges of a process: settings, loops, telemetry and HTTP."""
