-- Records refused in the last ten minutes.
SELECT count() AS dead_letters
FROM dead_letters FINAL
WHERE $__timeFilter(failed_at)
