"""The numbers, computed by Rust. Every function takes and gives JSON texts."""

class InvalidInput(ValueError):
    """What was given is not allowed; the sentence names place, problem and what is allowed."""

def scale(request: str) -> str:
    """Roles, multipliers and the theory's verdict for one model at two widths."""

def check(request: str) -> str:
    """The judgement of a coordinate check's points, as a value, a table and a page."""

def report(request: str) -> str:
    """The report of runs, written where the request says so."""

def parse_toml(text: str) -> str:
    """A TOML text as JSON."""

def version() -> str:
    """Version of the package."""
