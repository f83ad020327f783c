-- How often the conversions of a canary were written: rev counts the sends that have reached the row.
-- at_us        when they happened
-- conversions  their ids
SELECT conversion_id, max(rev) AS rev
FROM attributions
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
  AND converted_at = fromUnixTimestamp64Micro({at_us:Int64}, 'UTC')
  AND conversion_id IN {conversions:Array(String)}
GROUP BY conversion_id
SETTINGS max_threads = 1
