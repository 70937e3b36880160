"""Tests that are to be passed with each of several programs."""

from suite import test


def each_of(variants):
    """Puts a function into the list once for each variant, by its name; it is given that one."""
    def register(function):
        for name, variant in variants.items():
            def one(suite, variant=variant):
                function(suite, variant)
            one.__module__ = function.__module__
            one.__doc__ = f"{name}: {function.__doc__}"
            test(one)
        return function
    return register
