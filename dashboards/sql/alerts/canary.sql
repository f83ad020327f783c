-- Canaries (conversions of the type canary, that somebody sends every minute) that became readable in the last ten minutes.
SELECT count() AS canaries
FROM attributions
WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
  AND conversion_type = 'canary'
  AND $__timeFilter(inserted_at)
  AND is_deleted = 0
