"""Accounts and permissions: users, organizations, projects, API keys, sign-in links, passwords."""
