"""JSON ⇄ protobuf, compiled once a message into closures. Knows no route and no service."""

from gateway.transcoding.parameters import Parameter, is_text, names_one_string, parameter, parameter_names
from gateway.transcoding.reading import reader
from gateway.transcoding.writing import writer

__all__ = ["Parameter", "is_text", "names_one_string", "parameter", "parameter_names", "reader", "writer"]
