-- Lift tests that were recorded, the newest period first. No parameters.
SELECT test_id, toString(channel) AS channel, start_date, end_date, incremental, standard_error, note, recorded_at
FROM lift_tests FINAL
ORDER BY end_date DESC, test_id
