-- Records refused in the period.
SELECT count() AS dead_letters
FROM dead_letters FINAL
WHERE $__timeFilter(failed_at)
