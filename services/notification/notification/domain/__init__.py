"""The rules of notification: standard library and servicekit's errors, ids and money only."""
