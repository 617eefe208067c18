"""The dispatcher: delivers what the planner releases, each greeting at most once per period.

Owns: contacts (a projection of people), suppressions, the delivery events (claim, outcome,
settlement of every attempt), who was greeted in which period, what operators hold back (a
projection of pauses and cancellations), and what was set aside.
Consumes: ``user.*.v1``, ``plan.paused/resumed/cancelled.v1`` and ``dispatch.requested.v1``, with
their dead letters.
Publishes: ``delivery.*.v1``.
"""
