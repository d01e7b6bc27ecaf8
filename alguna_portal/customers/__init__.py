"""Customers in Alguna: created there, and their plans synchronized from there."""

from .provisioning import Provisioned, provision

__all__ = ["Provisioned", "provision"]
