-- inserted_at: when the server took the row, by its own clock. The live feed reads by it: emitted_at is a worker's time of
-- before the insert, which may have been repeated for as long as the engine was away. Rows of before keep emitted_at.

-- only if: SELECT count() = 0 FROM system.columns WHERE database = currentDatabase() AND table = 'attributions' AND name = 'inserted_at'
ALTER TABLE attributions ADD COLUMN IF NOT EXISTS inserted_at DateTime64(6, 'UTC') DEFAULT emitted_at;

-- only if: SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'attributions' AND name = 'inserted_at' AND default_expression = 'emitted_at'
ALTER TABLE attributions MATERIALIZE COLUMN inserted_at SETTINGS mutations_sync = 2;

-- only if: SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'attributions' AND name = 'inserted_at' AND default_expression = 'emitted_at'
ALTER TABLE attributions MODIFY COLUMN inserted_at DateTime64(6, 'UTC') DEFAULT now64(6);

ALTER TABLE attributions ADD INDEX IF NOT EXISTS inserted_at_minmax inserted_at TYPE minmax GRANULARITY 1;

ALTER TABLE attributions MATERIALIZE INDEX inserted_at_minmax;
