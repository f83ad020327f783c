-- What a worker would say, so that every answer has its meta. No parameters.
INSERT INTO worker_progress (run_id, app, topic, partition, offset, watermark_us)
SELECT 1, 'bench', 'attribution.touchpoints', number, 1000, toUnixTimestamp64Micro(now64(6)) FROM numbers(4)
