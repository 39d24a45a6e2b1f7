"""What a stream refuses, and why it ends a connection."""

from servicekit.errors import AppError, Kind


class TopicNotFound(AppError):
    """No topic has this name: they are `feed`, `venue:ven_…` and `ticket:tkt_…`."""

    kind = Kind.NOT_FOUND
    reason = "TOPIC_NOT_FOUND"
    detail = "There is no such topic."


class TooManyTopics(AppError):
    """The connection has as many topics as one may have. To wait changes nothing."""

    kind = Kind.UNPROCESSABLE
    reason = "TOO_MANY_TOPICS"
    detail = "This connection has as many topics as it may have. Leave one, or open another connection."


class TooManyStreams(AppError):
    """The caller has as many open streams as one may have; Retry-After says when to come again."""

    kind = Kind.EXHAUSTED
    reason = "TOO_MANY_STREAMS"
    detail = "There are too many open streams. Close one, or come again a little later."


class TicketNotValid(AppError):
    """The ticket of a stream is unknown, was used, or is older than half a minute."""

    kind = Kind.UNAUTHENTICATED
    reason = "TICKET_NOT_VALID"
    detail = "This ticket is not valid any more. Ask for a new one."


class MalformedMessage(AppError):
    """What came over the WebSocket is no message that the gateway knows."""

    kind = Kind.INVALID
    reason = "MALFORMED_MESSAGE"
    detail = "Send JSON objects with subscribe, since, unsubscribe or ping, as the documentation shows."


class TooManyMessages(AppError):
    """The client sends messages faster than a stream takes them."""

    kind = Kind.EXHAUSTED
    reason = "TOO_MANY_MESSAGES"
    detail = "Too many messages came over this stream."


class SlowConsumer(AppError):
    """The client reads more slowly than messages come. It may come back and resume."""

    kind = Kind.EXHAUSTED
    reason = "SLOW_CONSUMER"
    detail = "Messages were not read in time. Connect again and resume."


class StreamExpired(AppError):
    """The credentials by which the stream was opened hold no longer. A new ticket resumes it."""

    kind = Kind.UNAUTHENTICATED
    reason = "STREAM_EXPIRED"
    detail = "The credentials of this stream have run out. Connect again with a new ticket and resume."


class GoingAway(AppError):
    """This process is about to stop. Another one goes on with the stream."""

    kind = Kind.UNAVAILABLE
    reason = "GOING_AWAY"
    detail = "This server is about to stop. Connect again and resume."
