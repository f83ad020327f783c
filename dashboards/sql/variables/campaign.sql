-- Campaigns of the chosen channels, the biggest thousand; what has none is under All only.
SELECT campaign
FROM rollup_day
WHERE run_id = toUInt32(${run:sqlstring})
  AND day BETWEEN toDate($__fromTime, 'UTC') AND toDate($__toTime, 'UTC')
  AND campaign != ''
  AND $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
GROUP BY campaign
ORDER BY sum(touchpoints) DESC, campaign
LIMIT 1000
