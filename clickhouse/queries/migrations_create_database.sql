-- database   name
CREATE DATABASE IF NOT EXISTS {database:Identifier}
