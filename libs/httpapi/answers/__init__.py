"""Answers that are given again to whoever repeats a request under its ``Idempotency-Key``."""

from libs.httpapi.answers.remembering import Answers, Remembering, forget_old_answers

__all__ = ["Answers", "Remembering", "forget_old_answers"]
