-- target_database   name
DROP DATABASE IF EXISTS target_database SYNC
