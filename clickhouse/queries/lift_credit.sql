-- Conversions that a model credits to each channel by the day of the conversion, in the active run; of all currencies.
-- start, end: Date, both inclusive; model; conversion_type: '' for all
SELECT toString(channel) AS of_channel, sumKahan(conversions) AS credited
FROM rollup_day
WHERE
    run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
    AND day >= {start:Date}
    AND day <= {end:Date}
    AND model = {model:String}
    AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})
GROUP BY of_channel
ORDER BY of_channel
