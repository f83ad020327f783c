-- What arrived, without regard to order: number, distinct ids, sum of their checksums, sum of amounts. No parameters.
SELECT 'touchpoint' AS kind, count() AS events, uniqExact(event_id) AS ids, sum(CRC32(event_id)) AS checksum,
       sum(cost_micros) AS micros
FROM touchpoints FINAL
UNION ALL
SELECT 'conversion', count(), uniqExact(event_id), sum(CRC32(event_id)), sum(value_micros) FROM conversions FINAL
