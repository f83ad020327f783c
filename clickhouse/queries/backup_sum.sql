-- A table's rows, whatever their order.
-- database, of_table   which
-- -> row_count, hash_sum
SELECT count() AS row_count, sum(cityHash64(*)) AS hash_sum FROM {database:Identifier}.{of_table:Identifier}
