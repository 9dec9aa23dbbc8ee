"""Protocols, neutral references and the audit of both."""
