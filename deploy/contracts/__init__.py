"""Generates `contracts/published` from the code: schemas, samples, AsyncAPI, OpenAPI."""
