"""The console: Jubilee from a terminal.

Owns: nothing but the files it is told to write. It calls the services' HTTP APIs with the key of
whoever uses it; it has no database and no queue.
Publishes: nothing.
Consumes: nothing but HTTP.
"""
