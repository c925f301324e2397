"""What happens before the api serves: every file here that defines `startup_hook(app)`, sync or async, is run in order.

A failing one stops the start and names its file and line, unless it says `OPTIONAL = True`.
"""
