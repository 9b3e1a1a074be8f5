"""A process under an attacker's control cannot harm the others."""
