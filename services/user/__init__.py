"""The user service: people, from registration to erasure.

Owns: the stream of events of every person, their present state, their data keys.
Publishes: user.registered, user.changed, user.deleted, user.restored, user.erased (v1).
Consumes: nothing but HTTP.
"""
