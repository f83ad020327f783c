-- A table's rows, the newest of each key, whatever merges have done and whatever their order.
-- database, of_table   which
-- -> row_count, hash_sum
SELECT count() AS row_count, sum(cityHash64(*)) AS hash_sum FROM {database:Identifier}.{of_table:Identifier} FINAL
