"""Which network an address counts with, where connections and tries have limits."""

from ipaddress import IPv4Address, IPv6Network, ip_address


def network_of(address: str) -> str:
    """Return the /64 of an IPv6 address, since a household has all of it; else the address.

    An IPv4 address that is written as IPv6 is an IPv4 address; text that is no address stays.
    Source: RFC 6177.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return address
    return str(found.ipv4_mapped or IPv6Network((found, 64), strict=False))
