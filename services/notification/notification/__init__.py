"""Mails to guests and members, and webhooks to partners."""
