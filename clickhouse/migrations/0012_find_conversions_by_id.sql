-- A conversion is explained by its id, which is behind its time in the key.
ALTER TABLE attributions
    ADD INDEX IF NOT EXISTS conversion_id_bloom conversion_id TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE attributions MATERIALIZE INDEX conversion_id_bloom;
