"""What Django's error reports may show: not what methods know that speak with Alguna."""

from inspect import isfunction
from typing import TypeVar

from django.views.decorators.debug import sensitive_variables

Class = TypeVar("Class", bound=type)


def unreported(cls: Class) -> Class:
    """Keep the variables of a class's methods, and of all that these call, out of Django's error reports."""
    for name, method in [*vars(cls).items()]:
        if isfunction(method):
            setattr(cls, name, sensitive_variables()(method))
    return cls
