"""Tests of functions alone: no network, no server, no waiting."""
