"""Messages for validation errors."""

from pydantic import ValidationError


def describe_validation_error(error: ValidationError) -> str:
    """Return the first three errors by field, without the values, which may be long or secret."""
    found = [f"{'.'.join(map(str, it['loc'])) or 'all of it'}: {it['msg']}" for it in error.errors(include_input=False)]
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(found[:3]) + more
