-- database   one that bench_is_ours has recognised
DROP DATABASE IF EXISTS {database:Identifier} SYNC
