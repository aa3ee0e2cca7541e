"""Who may do what: users, organizations, projects, API keys, sign-in links, passwords."""
