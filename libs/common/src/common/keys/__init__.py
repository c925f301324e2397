"""API keys: what they look like, how operators make and revoke them. The api checks them."""
