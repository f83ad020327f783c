-- The fits of the data-driven model that count for conversions at these times, one for each time that has one.
-- times_us: microseconds since the epoch
SELECT argMax(parameters, (effective_from, version)) AS parameters
FROM model_fits FINAL
ARRAY JOIN {times_us:Array(Int64)} AS at_us
WHERE toUnixTimestamp64Micro(effective_from) <= at_us
GROUP BY at_us
