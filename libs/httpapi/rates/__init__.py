"""Rate limits per caller, shared by all processes of a service at no round trip per request."""

from libs.httpapi.rates.limiter import Rate, RateLimiter, Verdict

__all__ = ["Rate", "RateLimiter", "Verdict"]
