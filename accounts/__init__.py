"""Who may do what: users, keys, sessions, workspaces and the audit log, in SQLite or PostgreSQL."""
