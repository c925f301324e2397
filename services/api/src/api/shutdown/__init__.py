"""What happens after the api served: every file here that defines `shutdown_hook(app)`, sync or async, is run.

One that is named like a startup hook releases what that one acquired; they run in the reverse order of the start.
"""
