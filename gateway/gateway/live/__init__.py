"""Realtime: topics by WebSocket and server-sent events. The services decide who may read.

An event becomes an entry of each topic that it belongs to (`facts`), gets its place in the topic's history
in Redis (`store`), and reaches every serving process by one connection for all its topics (`hub`), which
hands it to the clients (`room`, `connection`). A client that was away says how far it has read and gets what
it missed.
"""
