-- Credits of customers whose policy is anonymize, once more under ids that lead nowhere; the same ones each time.
-- queue   name of the table with the ids
INSERT INTO attributions
    (run_id, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency, models, fallbacks,
     `t.id`, `t.at`, `t.channel`, `t.campaign`, `t.weights`, `t.value_micros`,
     truncated, config_hash, rev, is_deleted, emitted_at)
SELECT
    run_id,
    concat('erased-', lower(hex(sipHash128(asked.salt, asked.digest, conversion_id)))),
    '',
    conversion_type, converted_at, value_micros, currency, models, fallbacks,
    arrayMap(id -> if(id = '', '', 'erased'), `t.id`),
    `t.at`, `t.channel`, `t.campaign`, `t.weights`, `t.value_micros`,
    truncated, config_hash, rev, is_deleted, emitted_at
FROM
(
    SELECT * FROM attributions FINAL
    WHERE customer_id IN (SELECT customer_id FROM {queue:Identifier} WHERE policy = 'anonymize')
) AS kept
INNER JOIN {queue:Identifier} AS asked USING (customer_id)
SETTINGS max_partitions_per_insert_block = 0
