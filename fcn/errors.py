"""Errors that people may read: what is wrong, the value received, what to do."""


class FcnError(Exception):
    """Base of every error whose message can be shown on the page as it is."""


class PhotoError(FcnError):
    """The photo cannot be used."""


class MaskError(FcnError):
    """The ground-truth mask does not fit the photo or the classes."""


class ModelError(FcnError):
    """The model file, its card or its hash is missing or contradicts another."""


class DataError(FcnError):
    """A dataset folder or path is missing or not laid out as expected."""
