"""The record format that client and server share: record constructors, limits, number encoding. Standard library only.

A change here is a change of the protocol: see docs/developing/protocol-v2.md.
"""
