"""The whole promise against a simple model: random histories of people, time, messages and deaths.

``system`` is the real planner, dispatcher and user service on real PostgreSQL; ``oracle`` says by
rules of its own what is owed; ``run`` plays one history on both and compares; ``search`` makes
histories and cuts a failing one down.
"""
