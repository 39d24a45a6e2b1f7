"""Answers for everybody, kept in Redis until an event says that they are not true any more.

`keeping` decides what is kept and for whom, `store` when it counts, `tags` which event ends it. The follower
(`gateway.following`) imports `tags` alone.
"""
