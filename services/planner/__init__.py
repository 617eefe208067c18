"""The planner: owns time. It knows what is owed to whom and when, and asks for it when due.

Owns: recipients (a projection of people without contact data), celebrations (whose day of which
kind is when), the plan (every occurrence owed, by local day, with its state), pauses and
cancellations, what was set aside.
Consumes: ``user.*.v1`` and ``delivery.*.v1``, with their dead letters.
Publishes: ``dispatch.requested.v1``, from inside the transaction that holds the plan rows: the
plan is its own outbox; ``plan.*.v1`` through the outbox.
"""
