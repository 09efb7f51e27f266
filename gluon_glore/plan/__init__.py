"""Networks as data: every width, stride and name worked out, without MXNet."""
