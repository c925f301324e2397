"""Middleware of the api: every file here is found and run, in the order of its ORDER or its numeric prefix.

A file defines `register_middleware(app)`, sync or async, and adds pure ASGI middleware to `app`; a later one stands
further outside. Without an order a file's is 1000: inside tracing, CORS and the answers to failures (9000 and up), so
whatever is dropped in is covered by them.
"""
