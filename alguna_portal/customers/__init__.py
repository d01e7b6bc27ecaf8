"""Customers in Alguna: provisioning and plan synchronization."""

from .provisioning import Provisioned, provision

__all__ = ["Provisioned", "provision"]
